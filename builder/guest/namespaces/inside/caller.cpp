#include "builder/guest/namespaces/inside/caller.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <string_view>

namespace imgforge::guest {
namespace {

template <class Result>
Result or_refuse(Result result) {
  if (result < 0) throw Refusal{errno};
  return result;
}

/// While it lives, paths lead where they lead another process: same root, same current folder, and the kernel
/// goes the way.
class Visit {
 public:
  Visit() = default;
  ~Visit() {
    if (::fchdir(home_.get()) != 0 || ::chroot(".") != 0) ::_exit(1);  // init works nowhere else
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  void enter(const core::Fd& root, const core::Fd& folder) const {
    or_refuse(::fchdir(root.get()));
    or_refuse(::chroot("."));
    or_refuse(::fchdir(folder.get()));
  }

 private:
  core::Fd home_{or_refuse(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC))};
};

/// N of "/proc/self/fd/N", as which C libraries hand on descriptors; -1: it is another path.
int own_descriptor(std::string_view path) {
  constexpr std::string_view kFolder = "/proc/self/fd/";
  if (!path.starts_with(kFolder)) return -1;
  int number = -1;
  const char* end = path.data() + path.size();
  const auto parsed = std::from_chars(path.data() + kFolder.size(), end, number);
  return parsed.ptr == end ? number : -1;
}

}  // namespace

Caller::Caller(int listener, const seccomp_notif& call)
    : listener_(listener), call_(call), memory_(open("mem", O_RDWR)) {}

core::Fd Caller::open(const std::string& name, int flags) const {
  return core::Fd(or_refuse(::open(fmt::format("/proc/{}/{}", call_.pid, name).c_str(), flags | O_CLOEXEC)));
}

std::string Caller::path(int place) const {
  const auto address = static_cast<off_t>(call_.data.args[place]);
  if (address == 0) return {};  // newer kernels take it so where an empty path may be
  std::array<char, PATH_MAX> buffer;
  const ssize_t size = ::pread(memory_.get(), buffer.data(), buffer.size(), address);
  if (size <= 0) throw Refusal{EFAULT};
  const auto end = buffer.begin() + size;
  const auto zero = std::find(buffer.begin(), end, '\0');
  if (zero == end) throw Refusal{end == buffer.end() ? ENAMETOOLONG : EFAULT};
  return {buffer.begin(), zero};
}

void Caller::write(int place, const void* value, std::size_t size) const {
  const auto address = static_cast<off_t>(call_.data.args[place]);
  if (::pwrite(memory_.get(), value, size, address) != static_cast<ssize_t>(size)) throw Refusal{EFAULT};
}

core::Fd Caller::descriptor(int number) const {
  if (number == AT_FDCWD) return open("cwd", O_PATH);
  if (number < 0) throw Refusal{EBADF};
  try {
    return open(fmt::format("fd/{}", number), O_PATH);
  } catch (const Refusal& refusal) {
    throw Refusal{refusal.error_number == ENOENT ? EBADF : refusal.error_number};
  }
}

core::Fd Caller::file(int folder, const std::string& path, unsigned flags) const {
  if (path.empty() && (flags & AT_EMPTY_PATH) != 0) return descriptor(folder);
  const bool follows = (flags & AT_SYMLINK_NOFOLLOW) == 0;
  if (const int own = own_descriptor(path); own >= 0 && follows) return descriptor(own);
  const core::Fd from = descriptor(path.starts_with('/') ? AT_FDCWD : folder);
  const core::Fd root = open("root", O_PATH);
  must_still_wait();
  open_how how{};
  how.flags = static_cast<std::uint64_t>(O_PATH | O_CLOEXEC) | (follows ? 0U : unsigned{O_NOFOLLOW});
  how.resolve = RESOLVE_NO_MAGICLINKS;
  const Visit visit;
  visit.enter(root, from);
  return core::Fd(
      static_cast<int>(or_refuse(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how))));
}

void Caller::must_still_wait() const {
  if (::seccomp_notify_id_valid(listener_, call_.id) != 0) throw Refusal{ESRCH};
}

}  // namespace imgforge::guest
