#include "builder/guest/namespaces/inside/notify.hpp"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "builder/guest/namespaces/common/id_map.hpp"
#include "builder/guest/namespaces/common/message.hpp"
#include "builder/guest/namespaces/common/steps.hpp"
#include "builder/guest/namespaces/inside/caller.hpp"
#include "core/handle.hpp"

namespace imgforge::guest {
namespace {

enum class Purpose {
  kChange,   ///< an owner
  kShow,     ///< it
  kMake,     ///< a file
  kMove,     ///< one
  kAccount,  ///< becomes one
};

constexpr int kNone = -1;

/// A system call and its arguments by place.
struct Call {
  int number;
  Purpose purpose;
  int folder = kNone;  ///< without a path: the file
  int path = kNone;
  int values = kNone;  ///< owner and group, or where the status goes, or ids
  int flags = kNone;
  unsigned always = 0;  ///< more flags
};

constexpr unsigned kNoFollow = AT_SYMLINK_NOFOLLOW;
/// Those that an architecture does not have have numbers that do no harm.
constexpr std::array kCalls{
    Call{SCMP_SYS(chown), Purpose::kChange, kNone, 0, 1},
    Call{SCMP_SYS(lchown), Purpose::kChange, kNone, 0, 1, kNone, kNoFollow},
    Call{SCMP_SYS(fchown), Purpose::kChange, 0, kNone, 1},
    Call{SCMP_SYS(fchownat), Purpose::kChange, 0, 1, 2, 4},
    Call{SCMP_SYS(stat), Purpose::kShow, kNone, 0, 1},
    Call{SCMP_SYS(lstat), Purpose::kShow, kNone, 0, 1, kNone, kNoFollow},
    Call{SCMP_SYS(fstat), Purpose::kShow, 0, kNone, 1},
    Call{SCMP_SYS(newfstatat), Purpose::kShow, 0, 1, 2, 3},
    Call{SCMP_SYS(statx), Purpose::kShow, 0, 1, 4, 2},
    Call{SCMP_SYS(open), Purpose::kMake, kNone, 0, kNone, 1},
    Call{SCMP_SYS(openat), Purpose::kMake, 0, 1, kNone, 2},
    Call{SCMP_SYS(openat2), Purpose::kMake, 0, 1},
    Call{SCMP_SYS(creat), Purpose::kMake, kNone, 0},
    Call{SCMP_SYS(mkdir), Purpose::kMake, kNone, 0},
    Call{SCMP_SYS(mkdirat), Purpose::kMake, 0, 1},
    Call{SCMP_SYS(mknod), Purpose::kMake, kNone, 0},
    Call{SCMP_SYS(mknodat), Purpose::kMake, 0, 1},
    Call{SCMP_SYS(symlink), Purpose::kMake, kNone, 1},
    Call{SCMP_SYS(symlinkat), Purpose::kMake, 1, 2},
    Call{SCMP_SYS(rename), Purpose::kMove},
    Call{SCMP_SYS(renameat), Purpose::kMove},
    Call{SCMP_SYS(renameat2), Purpose::kMove},
    Call{SCMP_SYS(setuid), Purpose::kAccount, kNone, kNone, 1},
    Call{SCMP_SYS(setgid), Purpose::kAccount, kNone, kNone, 1},
    Call{SCMP_SYS(setreuid), Purpose::kAccount, kNone, kNone, 2},
    Call{SCMP_SYS(setregid), Purpose::kAccount, kNone, kNone, 2},
    Call{SCMP_SYS(setresuid), Purpose::kAccount, kNone, kNone, 3},
    Call{SCMP_SYS(setresgid), Purpose::kAccount, kNone, kNone, 3},
};

enum class Verdict {
  kDone,
  kAskKernel,  ///< the call goes on as if nobody had looked
};

/// One id is all that the kernel knows.
uid_t real_id(std::uint32_t id) {
  if (id == Owners::kUnchanged) return id;
  if (id >= kIds) throw Refusal{EINVAL};  // as where there are so many
  return 0;
}

int folder_of(const Caller& caller, const Call& call) {
  return call.folder == kNone ? AT_FDCWD : static_cast<int>(caller.argument(call.folder));
}

core::Fd file_of(const Caller& caller, const Call& call) {
  const int folder = folder_of(caller, call);
  if (call.path == kNone) return caller.descriptor(folder);
  const unsigned flags = call.always | (call.flags == kNone ? 0 : caller.argument(call.flags));
  return caller.file(folder, caller.path(call.path), flags);
}

void change_owner(const Caller& caller, const Call& call, Owners& owners) {
  constexpr unsigned kKnown = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
  if (call.flags != kNone && (caller.argument(call.flags) & ~kKnown) != 0) throw Refusal{EINVAL};
  const std::uint32_t uid = caller.argument(call.values);
  const std::uint32_t gid = caller.argument(call.values + 1);
  const core::Fd file = file_of(caller, call);
  const uid_t real_uid = real_id(uid);
  const gid_t real_gid = real_id(gid);
  caller.must_still_wait();
  if (::fchownat(file.get(), "", real_uid, real_gid, AT_EMPTY_PATH) != 0) throw Refusal{errno};
  if (!owners.record(file.get(), uid, gid)) throw Refusal{ENOSPC};
}

/// What the kernel says of a file, with the owner that is remembered.
Verdict show_owner(const Caller& caller, const Call& call, const Owners& owners) {
  const core::Fd file = file_of(caller, call);
  const std::optional<Owner> owner = owners.find(file.get(), "");
  if (!owner) return Verdict::kAskKernel;
  struct stat status {};
  struct statx extended {};
  const bool is_extended = call.number == SCMP_SYS(statx);
  const int result = is_extended
                         ? ::statx(file.get(), "", AT_EMPTY_PATH, caller.argument(call.flags + 1), &extended)
                         : ::fstat(file.get(), &status);
  if (result != 0) return Verdict::kAskKernel;
  status.st_uid = extended.stx_uid = owner->uid;
  status.st_gid = extended.stx_gid = owner->gid;
  caller.must_still_wait();
  if (is_extended) {
    caller.write(call.values, &extended, sizeof extended);
  } else {
    caller.write(call.values, &status, sizeof status);
  }
  return Verdict::kDone;
}

void expect_file(const Caller& caller, const Call& call, const Owners& owners, NewFiles& files) {
  std::string path = caller.path(call.path);
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const std::size_t name = path.rfind('/') + 1;  // npos + 1 is 0
  core::Fd folder = caller.file(folder_of(caller, call), path.substr(0, name) + ".", 0);
  files.expect(caller.number(), std::move(folder), path.substr(name), owners);
}

/// The kernel refuses it, since it knows but one. Calls with fewer arguments have anything in the others.
bool wants_account(const Call& call, const seccomp_data& data) {
  return std::any_of(data.args, data.args + call.values, [](std::uint64_t argument) {
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
  for (const Call& call : kCalls) {
    const bool may_make = call.purpose == Purpose::kMake && call.flags != kNone;
    const scmp_arg_cmp makes{static_cast<unsigned>(std::max(call.flags, 0)), SCMP_CMP_MASKED_EQ, O_CREAT,
                             O_CREAT};
    check(::seccomp_rule_add_array(filter, SCMP_ACT_NOTIFY, call.number, may_make ? 1 : 0, &makes));
  }
  // Further groups would open nothing to who may do everything.
  check(::seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(setgroups), 0));
}

core::Fd answer_owner_calls() {
  // Init looks into this process; no program of an image runs beside it.
  require(::prctl(PR_SET_DUMPABLE, 1), Step::kNotify);
  const core::Handle<&::seccomp_release, void> filter(::seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) throw StepFailure{Step::kNotify, ENOMEM};
  add_answered_calls(filter.get());
  // What the library gives back says less than the kernel has said.
  require(::seccomp_load(filter.get()), Step::kNotify);
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
  new_files_.settle(static_cast<pid_t>(buffers.call->pid), owners);
  const seccomp_data& data = buffers.call->data;
  const auto* call =
      std::find_if(kCalls.begin(), kCalls.end(), [&](const Call& known) { return known.number == data.nr; });
  seccomp_notif_resp& answer = *buffers.answer;
  answer.id = buffers.call->id;
  Verdict verdict = Verdict::kAskKernel;
  try {
    if (call->purpose == Purpose::kAccount) {
      wanted_account_ = wanted_account_ || wants_account(*call, data);
    } else if (call->purpose == Purpose::kChange) {
      verdict = Verdict::kDone;
      change_owner(Caller(listener_.get(), *buffers.call), *call, owners);
    } else if (call->purpose == Purpose::kShow && !owners.empty()) {
      verdict = show_owner(Caller(listener_.get(), *buffers.call), *call, owners);
    } else if (call->purpose == Purpose::kMake && owners.has_groups()) {
      expect_file(Caller(listener_.get(), *buffers.call), *call, owners, new_files_);
    }
  } catch (const Refusal& refusal) {
    // For the others the kernel says itself what is wrong.
    if (verdict == Verdict::kDone) answer.error = -refusal.error_number;
  }
  if (verdict == Verdict::kAskKernel) answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  ::seccomp_notify_respond(listener_.get(), buffers.answer);
}

}  // namespace imgforge::guest
