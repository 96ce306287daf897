// One running libguestfs appliance with an empty root file system: the only place where programs of an image
// run while it is built. It has no network, no device of the host and no access but the disks made here, and
// it needs no root, no loop device and no mount on the host. This is the narrow interface to the library;
// what is done to a root file system is written in terms of it (base, apk, customize, clean, export).
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "builder/machine/accelerator.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::guest {

struct Appliance;  // the library's handle and what belongs to it

using Seconds = std::chrono::seconds;

/// A disk of somebody else that is only looked at.
struct ForeignDisk {
  std::filesystem::path path;
  std::string format;  ///< "raw": other formats can name files of the host
};

struct LaunchOptions {
  std::filesystem::path
      work_dir;  ///< scratch disks and the library's files; a private folder in it is removed
  std::filesystem::path cache_dir;  ///< persistent: the supermin appliance is built there once
  std::filesystem::path log_file;   ///< console of the appliance and events of the library; appended to
  core::Bytes disk = core::gib(8);  ///< size of the (sparse) root file system
  core::Bytes memory = core::mib(768);
  unsigned cpus = 1;
  machine::Accelerator accelerator = machine::Accelerator::kEmulation;
  Seconds launch_timeout{180};
  Seconds kvm_launch_timeout{30};  ///< broken KVM can hang; after this emulation is tried
  Seconds call_timeout{300};       ///< for calls that are not given one
  core::CancelToken cancel;
  std::optional<ForeignDisk> inspected = {};  ///< attached read-only
};

/// What a script printed and how it ended.
struct ScriptResult {
  int exit_code = 0;
  std::string output;  ///< both streams; the last megabyte
  bool timed_out = false;
};

/// Starting a program in the guest costs a quarter of a second under emulation, so the file calls are the
/// cheap ones. Errors of every member: kAppliance when the appliance died (the tail of its console is
/// quoted), kTimeout, kInterrupted and kNoSpace as the watchdog found, kImage when the guest's root file
/// system is full.
class Guest {
 public:
  /// Takes over an appliance that launch() started.
  explicit Guest(std::unique_ptr<Appliance> appliance);
  Guest(Guest&&) noexcept;
  Guest& operator=(Guest&&) noexcept;
  /// Abandons the appliance: it is killed and its files are removed.
  ~Guest();

  /// Accelerator that really runs.
  machine::Accelerator accelerator() const;
  /// Why KVM was given up, when it was asked for and emulation had to be used. The caller remembers it.
  const std::optional<std::string>& kvm_failure() const;
  const core::CancelToken& cancel() const;
  /// Folder below `work_dir` for files on their way into the guest; removed with the appliance.
  const std::filesystem::path& scratch() const;

  /// Folder of the guest's root that belongs to imgforge; remove_private_folder() takes it away again.
  static constexpr std::string_view kPrivate = "/.imgforge";
  /// Where present() shows a folder of the host.
  static constexpr std::string_view kMedia = "/.imgforge/media";

  /// Unpacks a tar archive of the host into the folder `into` of the root.
  /// `compression`: "" (none), "gzip", "xz", "bzip2", "zstd".
  void tar_in(const std::filesystem::path& archive, std::string_view into, std::string_view compression = {});
  /// Streams the folder `from` into the file descriptor as an uncompressed tar with numeric owners and
  /// xattrs. `excludes` are patterns of GNU tar ("./proc/*").
  void tar_out(std::string_view from, int target, const std::vector<std::string>& excludes);
  /// Ends a tar_out that another thread is in, which then throws.
  void cancel_transfer() noexcept;

  /// Writes a small file (replacing one), mode 0644, owner root.
  void write(std::string_view path, std::string_view content);
  /// A small text file of the guest; empty when it does not exist.
  std::string read(std::string_view path);
  /// Makes the content of a host folder visible read-only under kMedia, in place of what was there. Symbolic
  /// links in it are kept as they are; regular files should be hard links to what they show.
  void present(const std::filesystem::path& folder);
  void remove_media();
  /// Runs a POSIX shell script as root in the root file system, without network. Everything it started in its
  /// session is killed when it ends; at `limit` it is killed itself.
  ScriptResult run(std::string_view script, Seconds limit);
  /// Runs a short script of imgforge's own and returns its standard output. Failing is kInternal.
  std::string query(std::string_view script);
  void remove_private_folder();

  /// Where mount_inspected() shows a file system of LaunchOptions::inspected.
  static constexpr std::string_view kInspected = "/.imgforge/inspected";
  /// Mounts the partition of that number (0: the whole disk) of the inspected disk read-only, without
  /// replaying a journal, and without devices or programs in effect. `type` is "ext4" or "squashfs".
  void mount_inspected(unsigned partition, std::string_view type);
  /// Names in a folder of the guest; empty when there is no such folder.
  std::vector<std::string> list(std::string_view folder);

  /// Shuts the appliance down in good order. What the library reports then is thrown.
  void finish();

 private:
  std::unique_ptr<Appliance> appliance_;
};

/// Starts the appliance and mounts an empty ext4 as its root. With kKvm a failed or hanging start is tried
/// once more with emulation. Throws kAppliance with the cause, kMachine, kTimeout, kInterrupted, kNoSpace.
Guest launch(LaunchOptions options);

/// A launch that goes on while the caller does something else.
class PendingGuest {
 public:
  explicit PendingGuest(LaunchOptions options);
  /// Gives the launch up when get() was not called: kills it and waits for its end.
  ~PendingGuest();
  PendingGuest(const PendingGuest&) = delete;
  PendingGuest& operator=(const PendingGuest&) = delete;
  /// Waits for the launch; throws what it threw. Once only.
  Guest get();

 private:
  std::shared_ptr<std::atomic<bool>> abandoned_;
  std::future<Guest> result_;
  std::thread thread_;
};

/// The same as a function.
inline PendingGuest launch_in_background(LaunchOptions options) {
  return PendingGuest(std::move(options));
}

}  // namespace imgforge::guest
