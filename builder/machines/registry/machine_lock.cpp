#include "builder/machines/registry/machine_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "artifacts/store/clones.hpp"
#include "core/error.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Kind;
using std::chrono::milliseconds;
namespace fs = std::filesystem;

constexpr const char* kLockFile = "lock";
constexpr off_t kRunByte = 0;
constexpr off_t kDecideByte = 1;
constexpr off_t kCommandByte = 2;
constexpr milliseconds kStep{10};
constexpr milliseconds kKillPatience{20000};

struct flock byte_lock(off_t byte) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

void pause_for(milliseconds time) {
  ::usleep(static_cast<useconds_t>(time.count()) * 1000);
}

}  // namespace

MachineLock::MachineLock(const fs::path& folder)
    : folder_(folder), fd_(core::open_file(folder / kLockFile, O_RDWR | O_CREAT | O_NOFOLLOW, 0600)) {}

void MachineLock::run() {
  struct flock lock = byte_lock(kRunByte);
  if (::fcntl(fd_.get(), F_SETLK, &lock) == 0) return;
  if (errno != EAGAIN && errno != EACCES)
    throw core::system_error(errno, "cannot lock", (folder_ / kLockFile).native());
  throw Error(Kind::kLocked, fmt::format("the machine {} runs already", folder_.filename().native()));
}

void MachineLock::command(milliseconds patience, const core::CancelToken& cancel) {
  take(kCommandByte, patience, cancel);
}

void MachineLock::decide(milliseconds patience, const core::CancelToken& cancel) {
  take(kDecideByte, patience, cancel);
}

void MachineLock::let_others() {
  struct flock lock = byte_lock(kDecideByte);
  lock.l_type = F_UNLCK;
  ::fcntl(fd_.get(), F_OFD_SETLK, &lock);
}

void MachineLock::take(off_t byte, milliseconds patience, const core::CancelToken& cancel) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  struct flock lock = byte_lock(byte);
  while (::fcntl(fd_.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR)
      throw core::system_error(errno, "cannot lock", (folder_ / kLockFile).native());
    cancel.check();
    if (std::chrono::steady_clock::now() > deadline) {
      throw Error(Kind::kLocked,
                  fmt::format("another command works on the machine {}", folder_.filename().native()));
    }
    pause_for(kStep);
  }
}

std::optional<pid_t> process_of(const fs::path& folder) {
  const core::Fd fd(::open((folder / kLockFile).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct flock lock = byte_lock(kRunByte);
  if (!fd || ::fcntl(fd.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
  return lock.l_pid;
}

bool is_running(const fs::path& folder) {
  return process_of(folder) || artifacts::is_open_in_qemu(folder / artifacts::kCloneDisk);
}

bool wait_until_stopped(const fs::path& folder, milliseconds patience, const core::CancelToken& cancel) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (is_running(folder)) {
    cancel.check();
    if (std::chrono::steady_clock::now() > deadline) return false;
    pause_for(kStep);
  }
  return true;
}

bool kill_machine(const fs::path& folder, const core::CancelToken& cancel) {
  const std::optional<pid_t> found = process_of(folder);
  const bool ran = is_running(folder);
  if (found && *found > 0) {
    // The number may be another process's by now, unless the lock is still that of this number.
    const core::Fd process(static_cast<int>(::syscall(SYS_pidfd_open, *found, 0)));
    if (process && process_of(folder) == found &&
        ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH)
      throw core::system_error(errno, "cannot kill", "the machine's process");
  }
  if (!wait_until_stopped(folder, kKillPatience, cancel)) {
    throw Error(Kind::kTimeout, fmt::format("the machine {} does not end", folder.filename().native()))
        .hint("something outside imgforge has its disk open");
  }
  return ran;
}

}  // namespace imgforge::machines
