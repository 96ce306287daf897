// The sandbox that is a libguestfs appliance: a virtual machine with an empty root file system, no network,
// no device of the host and no access but to the disks made here. It needs no root, no loop device and no
// mount on the host. Foreign disks are looked into by it as well.
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

#include "builder/guest/sandbox.hpp"
#include "builder/machine/accelerator.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::guest {

struct Appliance;  // the library's handle and what belongs to it

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

class Guest final : public Sandbox {
 public:
  /// Takes over an appliance that launch() started.
  explicit Guest(std::unique_ptr<Appliance> appliance);
  Guest(Guest&&) noexcept;
  Guest& operator=(Guest&&) noexcept;
  /// Abandons the appliance: it is killed and its files are removed.
  ~Guest() override;

  /// Accelerator that really runs.
  machine::Accelerator accelerator() const;
  /// Why KVM was given up, when it was asked for and emulation had to be used. The caller remembers it.
  const std::optional<std::string>& kvm_failure() const;

  /// What kind() gives as the reason.
  void explain(std::string reason) { reason_ = std::move(reason); }

  SandboxKind kind() const override;
  const core::CancelToken& cancel() const override;
  const std::filesystem::path& scratch() const override;
  void tar_in(const std::filesystem::path& archive, std::string_view into,
              std::string_view compression = {}) override;
  void tar_out(std::string_view from, int target, const std::vector<std::string>& excludes) override;
  void cancel_transfer() noexcept override;
  void write(std::string_view path, std::string_view content) override;
  std::string read(std::string_view path) override;
  void present(const std::filesystem::path& folder) override;
  void remove_media() override;
  ScriptResult run(std::string_view script, Seconds limit) override;
  std::string query(std::string_view script) override;
  void remove_private_folder() override;
  /// Shuts the appliance down in good order. What the library reports then is thrown.
  void finish() override;

  /// Where mount_inspected() shows a file system of LaunchOptions::inspected.
  static constexpr std::string_view kInspected = "/.imgforge/inspected";
  /// Mounts the partition of that number (0: the whole disk) of the inspected disk read-only, without
  /// replaying a journal, and without devices or programs in effect. `type` is "ext4" or "squashfs".
  void mount_inspected(unsigned partition, std::string_view type);
  /// Names in a folder of the guest; empty when there is no such folder.
  std::vector<std::string> list(std::string_view folder);

 private:
  std::unique_ptr<Appliance> appliance_;
  std::string reason_;
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
