#include "builder/content/confined.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/late_library.hpp"

namespace imgforge::content {
namespace {

using core::Error;
using core::Kind;
using core::Reason;
using Clock = std::chrono::steady_clock;

constexpr int kUnconfined = 120;  ///< exit codes of the child
constexpr int kFailed = 121;
constexpr unsigned kFiles = 64;
/// Ends every whole answer.
constexpr char kNamespaces = 1;
constexpr char kLandlock = 2;
constexpr char kWhole = 64;

/// Memory, threads, reading and writing what is open, clocks, signals to itself. Everything else is refused
/// with EPERM, so that a library which tries goes on without.
constexpr std::array kAllowed{"read",
                              "pread64",
                              "readv",
                              "preadv",
                              "lseek",
                              "write",
                              "writev",
                              "close",
                              "fstat",
                              "dup",
                              "pipe2",
                              "poll",
                              "mmap",
                              "munmap",
                              "mprotect",
                              "mremap",
                              "madvise",
                              "brk",
                              "futex",
                              "sched_yield",
                              "sched_getaffinity",
                              "set_robust_list",
                              "rseq",
                              "rt_sigaction",
                              "rt_sigprocmask",
                              "rt_sigreturn",
                              "sigaltstack",
                              "clock_gettime",
                              "clock_getres",
                              "clock_nanosleep",
                              "nanosleep",
                              "gettimeofday",
                              "time",
                              "getpid",
                              "gettid",
                              "getuid",
                              "getrandom",
                              "getrusage",
                              "sysinfo",
                              "uname",
                              "exit",
                              "exit_group",
                              "restart_syscall",
                              "fadvise64"};

bool limit(__rlimit_resource resource, rlim_t value) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return false;
  const rlim_t wanted = std::min(value, now.rlim_max);
  const rlimit both{wanted, wanted};
  return ::setrlimit(resource, &both) == 0;
}

/// No file can be opened by any name.
bool close_file_system() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return false;
  constexpr std::uint64_t kRightsOfVersion1 = (1ULL << 13) - 1;
  const landlock_ruleset_attr handled{kRightsOfVersion1};
  const core::Fd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
  return rules && ::syscall(SYS_landlock_restrict_self, rules.get(), 0) == 0;
}

bool filter_calls() {
  const core::Handle<&::seccomp_release, void> filter(::seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return false;
  bool good = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0;
  for (const char* name : kAllowed) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number != __NR_SCMP_ERROR) good &= ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, number, 0) == 0;
  }
  // A thread, but no process; the flags of clone3 lie in memory, and C libraries go on with clone.
  const scmp_arg_cmp thread{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM};
  good &= ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread) == 0;
  good &= ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
  // fstat of newer C libraries is this one with an empty name; other names are closed by Landlock, and what
  // could be learnt of them without is their size.
  good &= ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 0) == 0;
  // Only asked, not changed: the new limits are a null pointer.
  const scmp_arg_cmp asking{2, SCMP_CMP_EQ, 0, 0};
  good &= ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, &asking) == 0;
  for (const int command : {F_GETFD, F_GETFL, F_SETFD}) {
    const scmp_arg_cmp which{1, SCMP_CMP_EQ, static_cast<scmp_datum_t>(command), 0};
    good &= ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &which) == 0;
  }
  return good && ::seccomp_load(filter.get()) == 0;
}

/// Keeps these, and /dev/null in place of the standard ones.
bool close_others(std::vector<int> kept) {
  const int nothing = ::open("/dev/null", O_RDWR);
  if (nothing < 0) return false;
  for (int standard = 0; standard < 3; ++standard) {
    if (std::find(kept.begin(), kept.end(), standard) == kept.end() && ::dup2(nothing, standard) < 0)
      return false;
  }
  std::sort(kept.begin(), kept.end());
  unsigned from = 3;
  for (const int fd : kept) {
    if (fd < 3) continue;
    if (static_cast<unsigned>(fd) > from && ::close_range(from, static_cast<unsigned>(fd) - 1, 0) != 0)
      return false;
    from = static_cast<unsigned>(fd) + 1;
  }
  return ::close_range(from, ~0U, 0) == 0;
}

/// What holds the child; nothing when it cannot be held.
std::optional<Confinement> confine(const ConfinedLimits& limits, std::vector<int> kept) {
  Confinement made;
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || !close_others(std::move(kept))) return std::nullopt;
  made.namespaces = ::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS) == 0;
  ::signal(SIGPIPE, SIG_IGN);
  const bool limited = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, kFiles) &&
                       limit(RLIMIT_CPU, static_cast<rlim_t>(limits.processor.count())) &&
                       limit(RLIMIT_AS, limits.memory.value);
  if (!limited || ::prctl(PR_SET_DUMPABLE, 0) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return std::nullopt;
  made.landlock = close_file_system();
  if (!filter_calls()) return std::nullopt;
  return made;
}

[[noreturn]] void run_child(const std::function<std::string()>& body, std::vector<int> descriptors, int out,
                            const ConfinedLimits& limits) {
  core::forbid_late_libraries();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::signal(signal, SIG_DFL);
  descriptors.push_back(out);
  const std::optional<Confinement> held = confine(limits, std::move(descriptors));
  if (!held) ::_exit(kUnconfined);
  int code = kFailed;
  try {
    std::string text = body();
    text +=
        static_cast<char>(kWhole | (held->namespaces ? kNamespaces : 0) | (held->landlock ? kLandlock : 0));
    core::write_all(out, text, "answer");
    code = 0;
  } catch (...) {  // what it was does not matter: there is no whole answer
  }
  ::_exit(code);
}

/// The child, killed and reaped on every way out.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_;
};

Error refused(std::string why) {
  return Error(Kind::kImage, "reading it was stopped: " + std::move(why)).reason(Reason::kMalformed);
}

std::string how_it_ended(int status) {
  if (!WIFSIGNALED(status))
    return WEXITSTATUS(status) == kFailed ? "what reads it failed"
                                          : fmt::format("exit code {}", WEXITSTATUS(status));
  if (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL) return "it takes too long";
  return fmt::format("what reads it died of signal {}", WTERMSIG(status));
}

}  // namespace

Answer run_confined(const std::function<std::string()>& body, const std::vector<int>& descriptors,
                    const ConfinedLimits& limits, const core::CancelToken& cancel) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw core::system_error(errno, "cannot make", "a pipe");
  const core::Fd in(ends[0]);
  core::Fd out(ends[1]);
  core::load_late_libraries();  // the child may open nothing
  const pid_t pid = ::fork();
  if (pid < 0) throw core::system_error(errno, "cannot start", "a process");
  if (pid == 0) run_child(body, descriptors, out.get(), limits);
  Child child(pid);
  out.reset();
  Answer answer;
  const auto end = Clock::now() + limits.time;
  std::vector<std::byte> buffer(1 << 16);
  while (true) {
    cancel.check();
    if (Clock::now() > end) throw refused("it takes too long");
    pollfd waiting{in.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, 100);
    if (ready < 0 && errno != EINTR) throw core::system_error(errno, "cannot wait for", "a process");
    if (ready <= 0) continue;
    const std::size_t n = core::read_some(in.get(), buffer, "answer");
    if (n == 0) break;
    answer.text.append(reinterpret_cast<const char*>(buffer.data()), n);
    if (answer.text.size() > limits.answer) throw refused("what reads it says too much");
  }
  const int status = child.wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == kUnconfined)
    throw Error(Kind::kMachine, "this machine cannot confine a process: seccomp or limits do not work");
  const char last = answer.text.empty() ? '\0' : answer.text.back();
  if (status != 0 || (last & kWhole) == 0) throw refused(how_it_ended(status));
  answer.text.pop_back();
  answer.confinement = {(last & kNamespaces) != 0, (last & kLandlock) != 0};
  return answer;
}

}  // namespace imgforge::content
