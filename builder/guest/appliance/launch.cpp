#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <system_error>

#include "builder/guest/appliance/appliance.hpp"
#include "builder/guest/appliance/guest.hpp"
#include "builder/machine/tools.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

/// Address space of the disk behind Guest::present. It is sparse: only what is handed over takes room.
constexpr core::Bytes kMediaSize = core::gib(64);

void make_sparse(const std::filesystem::path& path, core::Bytes size) {
  core::NewFile file(path, 0600);
  file.resize(size.value);
  file.commit();
}

/// Scratch disks. The root file system is made on the host, where that takes milliseconds; it needs no
/// journal.
void make_disks(const Appliance& appliance) {
  make_sparse(appliance.media, kMediaSize);
  make_sparse(appliance.disk, appliance.options.disk);
  core::Command command;
  command.program = machine::require_program("mke2fs");
  command.args = {"-q",
                  "-F",
                  "-t",
                  "ext4",
                  "-O",
                  "^has_journal",
                  "-m",
                  "0",
                  "-E",
                  "lazy_itable_init=1",
                  appliance.disk.native()};
  core::system_processes().check(command, appliance.options.cancel, core::Kind::kIo);
}

core::Error launch_error(guestfs_h* handle, std::string_view what) {
  const char* text = guestfs_last_error(handle);
  const std::string reason = text != nullptr ? text : "no reason given";
  // The library's advice after the first line is for its own users.
  return core::Error(core::Kind::kAppliance,
                     fmt::format("{}: {}", what, core::escaped(reason.substr(0, reason.find('\n')), 1000)))
      .hint("libguestfs-test-tool tells more about libguestfs on this machine");
}

void require(int result, guestfs_h* handle) {
  if (result != 0) throw launch_error(handle, "the appliance cannot be set up");
}

void configure(const Appliance& appliance, guestfs_h* handle, machine::Accelerator accelerator) {
  const LaunchOptions& options = appliance.options;
  // The user's LIBGUESTFS_HV, _PATH and _MEMSIZE count; the backend is ours to choose.
  require(guestfs_parse_environment(handle), handle);
  require(guestfs_set_backend(handle, "direct"), handle);
  std::string setting = accelerator == machine::Accelerator::kKvm ? "force_kvm" : "force_tcg";
  const std::array<char*, 2> settings{setting.data(), nullptr};
  require(guestfs_set_backend_settings(handle, settings.data()), handle);
  require(guestfs_set_tmpdir(handle, appliance.folder.path().c_str()), handle);
  require(guestfs_set_cachedir(handle, options.cache_dir.c_str()), handle);
  require(guestfs_set_pgroup(handle, 1), handle);  // Ctrl-C is for us alone
  require(guestfs_set_autosync(handle, 0), handle);
  require(guestfs_set_network(handle, 0), handle);
  if (std::getenv("LIBGUESTFS_MEMSIZE") == nullptr) {
    require(guestfs_set_memsize(handle, static_cast<int>(options.memory.value >> 20)), handle);
  }
  require(guestfs_set_smp(handle, static_cast<int>(options.cpus)), handle);
  require(guestfs_add_drive_opts(handle, appliance.disk.c_str(), GUESTFS_ADD_DRIVE_OPTS_FORMAT, "raw",
                                 GUESTFS_ADD_DRIVE_OPTS_CACHEMODE, "unsafe", -1),
          handle);
  require(guestfs_add_drive_opts(handle, appliance.media.c_str(), GUESTFS_ADD_DRIVE_OPTS_FORMAT, "raw",
                                 GUESTFS_ADD_DRIVE_OPTS_READONLY, 1, -1),
          handle);
  if (options.inspected) {
    require(guestfs_add_drive_opts(handle, options.inspected->path.c_str(), GUESTFS_ADD_DRIVE_OPTS_FORMAT,
                                   options.inspected->format.c_str(), GUESTFS_ADD_DRIVE_OPTS_READONLY, 1, -1),
            handle);
  }
}

bool may_be_fault_of_kvm(core::Kind kind) {
  return kind == core::Kind::kAppliance || kind == core::Kind::kTimeout;
}

std::unique_ptr<Appliance> start_appliance(const LaunchOptions& options,
                                           const std::shared_ptr<std::atomic<bool>>& abandoned) {
  std::error_code ignored;
  std::filesystem::create_directories(options.cache_dir, ignored);
  auto appliance = std::make_unique<Appliance>(options, abandoned);
  make_disks(*appliance);
  if (options.accelerator == machine::Accelerator::kKvm) {
    try {
      appliance->start(machine::Accelerator::kKvm, options.kvm_launch_timeout);
      return appliance;
    } catch (const core::Error& error) {
      if (!may_be_fault_of_kvm(error.kind())) throw;
      appliance->kvm_failure = error.message();
    }
  }
  appliance->start(machine::Accelerator::kEmulation, options.launch_timeout);
  return appliance;
}

}  // namespace

void Appliance::start(machine::Accelerator with, std::chrono::milliseconds limit) {
  const pid_t thread = ::gettid();
  accelerator = with;
  handle.reset();
  watchdog = std::make_unique<Watchdog>(
      folder.path(), [token = options.cancel, flag = abandoned] { return token.cancelled() || flag->load(); },
      [thread] { kill_children_of_thread(thread); });
  handle.reset(guestfs_create_flags(GUESTFS_CREATE_NO_ENVIRONMENT | GUESTFS_CREATE_NO_CLOSE_ON_EXIT));
  if (!handle) throw core::Error(core::Kind::kAppliance, "libguestfs cannot be initialised");
  silence();
  configure(*this, handle.get(), with);
  log.attach(handle.get());
  int result = 0;
  {
    const Watchdog::Call watched(*watchdog, "starting", limit);
    result = guestfs_launch(handle.get());
  }
  if (std::optional<core::Error> verdict = watchdog->verdict()) throw std::move(verdict->quote(log.tail()));
  if (result != 0)
    throw std::move(launch_error(handle.get(), "the appliance did not start").quote(log.tail()));
  const pid_t pid = guestfs_get_pid(handle.get());
  qemu = ProcessHandle(pid);
  remove_socket_folder(pid);
  watchdog->set_kill([this] { qemu.kill(); });
  call("mounting the root file system", [](guestfs_h* library) {
    if (guestfs_mount_options(library, "noatime", "/dev/sda", "/") < 0) return -1;
    // No folder of the file system's own is to be seen by scripts.
    if (guestfs_rmdir(library, "/lost+found") < 0) return -1;
    return guestfs_mkdir(library, std::string(Guest::kPrivate).c_str());
  });
}

PendingGuest::PendingGuest(LaunchOptions options) : abandoned_(std::make_shared<std::atomic<bool>>(false)) {
  std::promise<Guest> promise;
  result_ = promise.get_future();
  // A thread of its own, so that the processes which the library starts can be told from ours.
  thread_ = std::thread(
      [](std::promise<Guest> guest, const LaunchOptions& launch_options,
         const std::shared_ptr<std::atomic<bool>>& abandoned) {
        try {
          guest.set_value(Guest(start_appliance(launch_options, abandoned)));
        } catch (...) {
          guest.set_exception(std::current_exception());
        }
      },
      std::move(promise), std::move(options), abandoned_);
}

PendingGuest::~PendingGuest() {
  if (result_.valid()) abandoned_->store(true);
  thread_.join();
}

Guest PendingGuest::get() {
  return result_.get();
}

Guest launch(LaunchOptions options) {
  return PendingGuest(std::move(options)).get();
}

}  // namespace imgforge::guest
