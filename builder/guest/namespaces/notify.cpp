#include "builder/guest/namespaces/notify.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "builder/guest/namespaces/id_map.hpp"
#include "builder/guest/namespaces/message.hpp"
#include "builder/guest/namespaces/steps.hpp"
#include "core/handle.hpp"

namespace imgforge::guest {
namespace {

/// A call that fails, and how.
struct Refusal {
  int error_number;
};

enum class Verdict {
  kDone,
  kAskKernel,  ///< the call goes on as if nobody had looked
};

template <class Result>
Result or_refuse(Result result) {
  if (result < 0) throw Refusal{errno};
  return result;
}

/// A process that waits for the answer to a call, as /proc shows it.
class Caller {
 public:
  Caller(int listener, const seccomp_notif& call)
      : listener_(listener), call_(call), memory_(open("mem", O_RDWR)) {}

  std::uint64_t argument(std::size_t place) const { return call_.data.args[place]; }
  std::uint32_t number(std::size_t place) const { return static_cast<std::uint32_t>(argument(place)); }
  int descriptor(std::size_t place) const { return static_cast<int>(argument(place)); }

  /// A file of /proc/<pid>, through its link.
  core::Fd open(const std::string& name, int flags = O_PATH) const {
    return core::Fd(
        or_refuse(::open(fmt::format("/proc/{}/{}", call_.pid, name).c_str(), flags | O_CLOEXEC)));
  }

  /// A path in its memory.
  std::string path(std::size_t place) const {
    if (argument(place) == 0) return {};  // newer kernels take it so where an empty path may be
    std::array<char, PATH_MAX> buffer;
    const ssize_t size =
        ::pread(memory_.get(), buffer.data(), buffer.size(), static_cast<off_t>(argument(place)));
    if (size <= 0) throw Refusal{EFAULT};
    const auto end = buffer.begin() + size;
    const auto zero = std::find(buffer.begin(), end, '\0');
    if (zero == end) throw Refusal{end == buffer.end() ? ENAMETOOLONG : EFAULT};
    return {buffer.begin(), zero};
  }

  template <class Value>
  void write(std::size_t place, const Value& value) const {
    const ssize_t size = ::pwrite(memory_.get(), &value, sizeof value, static_cast<off_t>(argument(place)));
    if (size != sizeof value) throw Refusal{EFAULT};
  }

  /// Everything opened so far was that of the caller, and not of a later process with its number.
  void must_still_wait() const {
    if (::seccomp_notify_id_valid(listener_, call_.id) != 0) throw Refusal{ESRCH};
  }

 private:
  int listener_;
  const seccomp_notif& call_;
  core::Fd memory_;  ///< of the process that it is now
};

/// While it lives, paths lead where they lead another process: same root, same current folder, and the kernel
/// goes the way.
class Visit {
 public:
  void enter(const core::Fd& root, const core::Fd& folder) {
    or_refuse(::fchdir(root.get()));
    or_refuse(::chroot("."));
    or_refuse(::fchdir(folder.get()));
  }
  ~Visit() {
    if (::fchdir(home_.get()) != 0 || ::chroot(".") != 0) ::_exit(1);  // init works nowhere else
  }
  Visit() = default;
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

 private:
  core::Fd home_{or_refuse(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC))};
};

core::Fd by_descriptor(const Caller& caller, int number) {
  if (number == AT_FDCWD) return caller.open("cwd");
  if (number < 0) throw Refusal{EBADF};
  try {
    return caller.open(fmt::format("fd/{}", number));
  } catch (const Refusal& refusal) {
    throw Refusal{refusal.error_number == ENOENT ? EBADF : refusal.error_number};
  }
}

/// N of "/proc/self/fd/N", as which C libraries hand on descriptors; -1: it is another path.
int own_descriptor(std::string_view path) {
  constexpr std::string_view kFolder = "/proc/self/fd/";
  if (!path.starts_with(kFolder)) return -1;
  int number = -1;
  const char* end = path.data() + path.size();
  const auto parsed = std::from_chars(path.data() + kFolder.size(), end, number);
  return parsed.ptr == end ? number : -1;
}

/// The file that the caller means. Other links of its /proc lead nowhere: they would be those of init.
core::Fd by_path(const Caller& caller, int folder, const std::string& path, unsigned flags) {
  if (path.empty() && (flags & AT_EMPTY_PATH) != 0) return by_descriptor(caller, folder);
  const bool follows = (flags & AT_SYMLINK_NOFOLLOW) == 0;
  if (const int own = own_descriptor(path); own >= 0 && follows) return by_descriptor(caller, own);
  const core::Fd from = by_descriptor(caller, path.starts_with('/') ? AT_FDCWD : folder);
  const core::Fd root = caller.open("root");
  caller.must_still_wait();
  open_how how{};
  how.flags = static_cast<std::uint64_t>(O_PATH | O_CLOEXEC) | (follows ? 0U : unsigned{O_NOFOLLOW});
  how.resolve = RESOLVE_NO_MAGICLINKS;
  Visit visit;
  visit.enter(root, from);
  return core::Fd(
      static_cast<int>(or_refuse(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how))));
}

// --- the calls

/// One id is all that the kernel knows.
uid_t real_id(std::uint32_t id) {
  if (id == Owners::kUnchanged) return id;
  if (id >= kIds) throw Refusal{EINVAL};  // as where there are so many
  return 0;
}

Verdict change_owner(const Caller& caller, const core::Fd& file, std::uint32_t uid, std::uint32_t gid,
                     Owners& owners) {
  const uid_t real_uid = real_id(uid);
  const gid_t real_gid = real_id(gid);
  caller.must_still_wait();
  or_refuse(::fchownat(file.get(), "", real_uid, real_gid, AT_EMPTY_PATH));
  if (!owners.record(file.get(), uid, gid)) throw Refusal{ENOSPC};
  return Verdict::kDone;
}

/// What stat says, with the owner that is remembered.
Verdict show_owner(const Caller& caller, const core::Fd& file, std::size_t buffer, const Owners& owners) {
  const std::optional<Owner> owner = owners.find(file.get(), "");
  if (!owner) return Verdict::kAskKernel;
  struct stat status {};
  or_refuse(::fstat(file.get(), &status));
  status.st_uid = owner->uid;
  status.st_gid = owner->gid;
  caller.must_still_wait();
  caller.write(buffer, status);
  return Verdict::kDone;
}

Verdict show_owner_extended(const Caller& caller, const core::Fd& file, const Owners& owners) {
  const std::optional<Owner> owner = owners.find(file.get(), "");
  if (!owner) return Verdict::kAskKernel;
  struct statx status {};
  or_refuse(::statx(file.get(), "", AT_EMPTY_PATH, caller.number(3), &status));
  status.stx_uid = owner->uid;
  status.stx_gid = owner->gid;
  caller.must_still_wait();
  caller.write(4, status);
  return Verdict::kDone;
}

constexpr std::array kOwnerCalls{SCMP_SYS(chown), SCMP_SYS(lchown), SCMP_SYS(fchown), SCMP_SYS(fchownat)};
constexpr std::array kStatusCalls{SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
                                  SCMP_SYS(statx)};
constexpr std::array kAccountCalls{SCMP_SYS(setuid),   SCMP_SYS(setgid),    SCMP_SYS(setreuid),
                                   SCMP_SYS(setregid), SCMP_SYS(setresuid), SCMP_SYS(setresgid)};

template <std::size_t N>
bool is_among(const std::array<int, N>& calls, int call) {
  return std::find(calls.begin(), calls.end(), call) != calls.end();
}

core::Fd file_of(const Caller& caller, int call) {
  switch (call) {
    case SCMP_SYS(chown):
    case SCMP_SYS(stat):
      return by_path(caller, AT_FDCWD, caller.path(0), 0);
    case SCMP_SYS(lchown):
    case SCMP_SYS(lstat):
      return by_path(caller, AT_FDCWD, caller.path(0), AT_SYMLINK_NOFOLLOW);
    case SCMP_SYS(fchown):
    case SCMP_SYS(fstat):
      return by_descriptor(caller, caller.descriptor(0));
    case SCMP_SYS(fchownat):
      if ((caller.number(4) & ~unsigned{AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0) throw Refusal{EINVAL};
      return by_path(caller, caller.descriptor(0), caller.path(1), caller.number(4));
    case SCMP_SYS(statx):
      return by_path(caller, caller.descriptor(0), caller.path(1), caller.number(2));
    default:
      return by_path(caller, caller.descriptor(0), caller.path(1), caller.number(3));
  }
}

Verdict answer_call(const Caller& caller, int call, Owners& owners) {
  const core::Fd file = file_of(caller, call);
  switch (call) {
    case SCMP_SYS(chown):
    case SCMP_SYS(lchown):
    case SCMP_SYS(fchown):
      return change_owner(caller, file, caller.number(1), caller.number(2), owners);
    case SCMP_SYS(fchownat):
      return change_owner(caller, file, caller.number(2), caller.number(3), owners);
    case SCMP_SYS(stat):
    case SCMP_SYS(lstat):
    case SCMP_SYS(fstat):
      return show_owner(caller, file, 1, owners);
    case SCMP_SYS(newfstatat):
      return show_owner(caller, file, 2, owners);
    default:
      return show_owner_extended(caller, file, owners);
  }
}

/// The kernel refuses it, since it knows but one.
bool wants_other_account(const seccomp_data& call) {
  if (!is_among(kAccountCalls, call.nr)) return false;
  // Calls with fewer arguments have anything in the others.
  std::size_t count = 1;
  if (call.nr == SCMP_SYS(setreuid) || call.nr == SCMP_SYS(setregid)) count = 2;
  if (call.nr == SCMP_SYS(setresuid) || call.nr == SCMP_SYS(setresgid)) count = 3;
  return std::any_of(call.args, call.args + count, [](std::uint64_t argument) {
    const auto id = static_cast<std::uint32_t>(argument);
    return id != 0 && id != Owners::kUnchanged;
  });
}

void check(int result) {
  if (result < 0) throw StepFailure{Step::kNotify, -result};
}

/// Of the sizes that the kernel wants.
struct Buffers {
  seccomp_notif* call = nullptr;
  seccomp_notif_resp* answer = nullptr;
  Buffers() { check(::seccomp_notify_alloc(&call, &answer)); }
  ~Buffers() { ::seccomp_notify_free(call, answer); }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
};

}  // namespace

void add_answered_calls(void* filter) {
  const auto stop = [&](int call) { check(::seccomp_rule_add(filter, SCMP_ACT_NOTIFY, call, 0)); };
  for (const int call : kOwnerCalls) stop(call);
  for (const int call : kStatusCalls) stop(call);
  for (const int call : kAccountCalls) stop(call);
  // Further groups would open nothing to who may do everything.
  check(::seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(setgroups), 0));
}

core::Fd answer_owner_calls() {
  // Init looks into this process; no program of an image runs beside it.
  require(::prctl(PR_SET_DUMPABLE, 1), Step::kNotify);
  const core::Handle<&::seccomp_release, void> filter(::seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) throw StepFailure{Step::kNotify, ENOMEM};
  add_answered_calls(filter.get());
  check(::seccomp_load(filter.get()));
  return core::Fd(::seccomp_notify_fd(filter.get()));
}

ListenerPair::ListenerPair() {
  std::array<int, 2> ends{};
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), Step::kFork);
  outer_ = core::Fd(ends[0]);
  inner_ = core::Fd(ends[1]);
}

void ListenerPair::hand_over(int inner, core::Fd listener) {
  const core::Fd socket(inner);
  try {
    send_message(socket.get(), {}, listener.get());
  } catch (const core::Error&) {
    throw StepFailure{Step::kNotify, EPIPE};  // init is gone, and this process with it
  }
}

core::Fd ListenerPair::receive() {
  inner_.reset();
  std::optional<Message> message = receive_message(outer_.get());
  return message ? std::move(message->fd) : core::Fd();
}

void OwnerCalls::answer(Owners& owners) {
  const Buffers buffers;
  if (::seccomp_notify_receive(listener_.get(), buffers.call) != 0) return;  // its process was killed
  const seccomp_data& call = buffers.call->data;
  seccomp_notif_resp& answer = *buffers.answer;
  answer.id = buffers.call->id;
  const bool changes = is_among(kOwnerCalls, call.nr);
  const bool shows = is_among(kStatusCalls, call.nr) && !owners.empty();
  wanted_account_ = wanted_account_ || wants_other_account(call);
  Verdict verdict = Verdict::kAskKernel;
  if (changes || shows) {
    try {
      verdict = answer_call(Caller(listener_.get(), *buffers.call), call.nr, owners);
    } catch (const Refusal& refusal) {
      if (changes)
        verdict = Verdict::kDone;  // of a file to look at, the kernel says itself why there is none
      answer.error = changes ? -refusal.error_number : 0;
    }
  }
  if (verdict == Verdict::kAskKernel) answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  ::seccomp_notify_respond(listener_.get(), buffers.answer);
}

}  // namespace imgforge::guest
