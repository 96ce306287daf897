// Where programs of an image run while its root file system is built, and nowhere else: an empty root that
// belongs to imgforge, without network and without access to the host. What is done to a root file system
// (base, apk, customize, clean, export) is written in terms of this narrow interface. The libguestfs
// appliance (guest.hpp) is one implementation; tests put one in its place that records.
#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"

namespace imgforge::guest {

using Seconds = std::chrono::seconds;

/// All of the environment that scripts begin with.
inline constexpr std::array<const char*, 6> kScriptEnvironment{
    "HOME=/root",    "LC_ALL=C",  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SHELL=/bin/sh", "TERM=dumb", "TZ=UTC"};

/// What a script printed and how it ended.
struct ScriptResult {
  int exit_code = 0;
  std::string output;  ///< both streams; the last megabyte
  bool timed_out = false;
};

/// What a root file system was made in, as a manifest tells it.
struct SandboxKind {
  std::string isolation;    ///< "appliance", "namespaces"
  std::string accelerator;  ///< of the appliance: "kvm", "tcg"; else empty
  std::string reason;       ///< why this isolation and accelerator
};

/// Starting a program inside can cost a quarter of a second, so the file calls are the cheap ones. Errors of
/// every member: kAppliance when the sandbox died (the tail of its log is quoted), kTimeout, kInterrupted and
/// kNoSpace, kImage when its root file system is full.
class Sandbox {
 public:
  virtual ~Sandbox() = default;

  virtual SandboxKind kind() const = 0;
  virtual const core::CancelToken& cancel() const = 0;
  /// Folder of the host for files on their way in; removed with the sandbox.
  virtual const std::filesystem::path& scratch() const = 0;

  /// Folder of the root that belongs to imgforge; remove_private_folder() takes it away again.
  static constexpr std::string_view kPrivate = "/.imgforge";
  /// Where present() shows a folder of the host.
  static constexpr std::string_view kMedia = "/.imgforge/media";

  /// Unpacks a tar archive of the host into the folder `into` of the root, with owners and xattrs.
  /// `compression`: "" (none), "gzip", "xz", "bzip2", "zstd".
  virtual void tar_in(const std::filesystem::path& archive, std::string_view into,
                      std::string_view compression = {}) = 0;
  /// Streams the folder `from` into the file descriptor as an uncompressed tar with numeric owners and
  /// xattrs. `excludes` are patterns of GNU tar ("./proc/*").
  virtual void tar_out(std::string_view from, int target, const std::vector<std::string>& excludes) = 0;
  /// Ends a tar_out that another thread is in, which then throws.
  virtual void cancel_transfer() noexcept = 0;

  /// Writes a small file (replacing one), mode 0644, owner root.
  virtual void write(std::string_view path, std::string_view content) = 0;
  /// A small text file; empty when it does not exist.
  virtual std::string read(std::string_view path) = 0;
  /// Makes the content of a host folder visible read-only under kMedia, in place of what was there. Symbolic
  /// links in it are kept as they are; regular files should be hard links to what they show.
  virtual void present(const std::filesystem::path& folder) = 0;
  virtual void remove_media() = 0;
  /// Runs a POSIX shell script as root in the root file system, without network, in `/` with umask 022 and
  /// kScriptEnvironment. Everything it started in its session is killed when it ends; at `limit` it is killed
  /// itself.
  virtual ScriptResult run(std::string_view script, Seconds limit) = 0;
  /// Runs a short script of imgforge's own and returns its standard output. Failing is kInternal.
  virtual std::string query(std::string_view script) = 0;
  virtual void remove_private_folder() = 0;

  /// True after an error when the root file system lay in memory and took more of it than it may: in a
  /// sandbox that has its root file system on a disk the same can be done.
  virtual bool outgrew_memory() const { return false; }

  /// Ends the sandbox in good order. What went wrong and was not told yet is thrown.
  virtual void finish() = 0;
};

/// A sandbox that starts while the caller does something else. Destroyed before get(), the start is given up.
class PendingSandbox {
 public:
  virtual ~PendingSandbox() = default;
  /// Waits for the start; throws what it threw. Once only.
  virtual std::unique_ptr<Sandbox> get() = 0;
};

/// What a sandbox is started for.
struct SandboxRequest {
  std::filesystem::path work_dir;  ///< takes its files; outlives it
  std::string line;                ///< names the log below the cache
  bool may_use_memory = true;      ///< its root file system may lie in memory
};

}  // namespace imgforge::guest
