#include "builder/guest/namespaces/inside/confine.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "builder/guest/namespaces/common/steps.hpp"
#include "builder/guest/namespaces/inside/notify.hpp"
#include "core/handle.hpp"

namespace imgforge::guest {
namespace {

constexpr Step kStep = Step::kConfine;

/// What installing packages and making accounts takes; apk changes the root for each script.
constexpr std::array kKept{CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,  CAP_FSETID,    CAP_KILL,
                           CAP_SETGID, CAP_SETUID,       CAP_SETFCAP, CAP_SYS_CHROOT};

constexpr std::array kRefusedCalls{
    "unshare", "setns",
    // mounts
    "mount", "umount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
    "fspick", "mount_setattr", "swapon", "swapoff", "quotactl", "quotactl_fd",
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
    // large parts of the kernel that no package needs
    "keyctl", "add_key", "request_key", "bpf", "perf_event_open", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "userfaultfd", "fanotify_init", "name_to_handle_at", "open_by_handle_at", "vmsplice",
    // the machine
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot", "acct",
    "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "syslog", "iopl", "ioperm",
    "lookup_dcookie"};

constexpr std::array<unsigned, 7> kNamespaceFlags{CLONE_NEWNS,  CLONE_NEWUSER, CLONE_NEWPID,   CLONE_NEWNET,
                                                  CLONE_NEWIPC, CLONE_NEWUTS,  CLONE_NEWCGROUP};

void limit(__rlimit_resource resource, rlim_t soft, rlim_t hard) {
  rlimit now{};
  require(::getrlimit(resource, &now), kStep);
  const rlimit wanted{std::min(soft, now.rlim_max), std::min(hard, now.rlim_max)};
  require(::setrlimit(resource, &wanted), kStep);
}

void drop_capabilities() {
  std::uint32_t kept = 0;
  for (const int capability : kKept) kept |= 1U << capability;  // all are below 32
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    const bool stays = std::find(kKept.begin(), kKept.end(), capability) != kKept.end();
    if (!stays) require(::prctl(PR_CAPBSET_DROP, capability), kStep);
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> sets{{{kept, kept, 0}, {0, 0, 0}}};
  require(::syscall(SYS_capset, &header, sets.data()), kStep);
}

/// Everything but reading, of kernels up to now; the kernel's version says which it knows.
std::uint64_t writing_rights(long version) {
  constexpr std::uint64_t kRefer = 1ULL << 13;     // version 2
  constexpr std::uint64_t kTruncate = 1ULL << 14;  // version 3
  std::uint64_t rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                         LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                         LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                         LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                         LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | kRefer;
  if (version >= 3) rights |= kTruncate;
  return rights;
}

/// A mistake in the mounts still writes nothing of the host. Version 1 forbids moving files between folders,
/// which packages do.
void restrict_writing() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 2) return;
  const landlock_ruleset_attr handled{writing_rights(version)};
  const core::Fd rules(
      static_cast<int>(require(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0), kStep)));
  const core::Fd root(require(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), kStep));
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = handled.handled_access_fs;
  beneath.parent_fd = root.get();
  require(::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0), kStep);
  require(::syscall(SYS_landlock_restrict_self, rules.get(), 0), kStep);
}

void check(int result) {
  if (result < 0) throw StepFailure{kStep, -result};
}

/// Calls that this library has no number for do not exist for the kernels it was made for either.
void refuse(scmp_filter_ctx filter, const char* name) {
  const int number = ::seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) return;
  check(::seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0));
}

/// Refuses a call when an argument compares.
void refuse_when(scmp_filter_ctx filter, int call, int error_number, const scmp_arg_cmp& argument) {
  check(::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(static_cast<unsigned>(error_number)), call, 1,
                                 &argument));
}

core::Fd filter_calls(Ids ids) {
  constexpr unsigned kTiocsti = 0x5412;  // characters pushed into a terminal
  const core::Handle<&::seccomp_release, void> filter(::seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) throw StepFailure{kStep, ENOMEM};
  // System calls of other architectures: none.
  check(::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)));
  for (const char* name : kRefusedCalls) refuse(filter.get(), name);
  for (const unsigned flag : kNamespaceFlags) {
    refuse_when(filter.get(), SCMP_SYS(clone), EPERM, {0, SCMP_CMP_MASKED_EQ, flag, flag});
  }
  // Its flags lie in memory, where no filter sees them; C libraries go on with clone.
  check(::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
  for (const int call : {SCMP_SYS(socket), SCMP_SYS(socketpair)}) {
    refuse_when(filter.get(), call, EAFNOSUPPORT, {0, SCMP_CMP_NE, AF_UNIX, 0});
  }
  refuse_when(filter.get(), SCMP_SYS(ioctl), EPERM, {1, SCMP_CMP_MASKED_EQ, 0xffffffffU, kTiocsti});
  if (ids == Ids::kNotify) add_answered_calls(filter.get());
  check(::seccomp_load(filter.get()));
  return core::Fd(ids == Ids::kNotify ? ::seccomp_notify_fd(filter.get()) : -1);
}

}  // namespace

core::Fd confine(const Limits& limits, Ids ids) {
  limit(RLIMIT_CORE, 0, 0);
  limit(RLIMIT_FSIZE, limits.file.value, limits.file.value);
  limit(RLIMIT_NPROC, limits.processes, limits.processes);
  limit(RLIMIT_NOFILE, limits.files, limits.files * rlim_t{4});
  limit(RLIMIT_MEMLOCK, 8 << 20, 8 << 20);
  limit(RLIMIT_MSGQUEUE, 819'200, 819'200);
  drop_capabilities();
  require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), kStep);
  restrict_writing();
  return filter_calls(ids);
}

}  // namespace imgforge::guest
