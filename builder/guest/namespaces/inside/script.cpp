#include "builder/guest/namespaces/inside/script.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "builder/guest/namespaces/common/clone.hpp"
#include "builder/guest/namespaces/common/steps.hpp"
#include "builder/guest/namespaces/inside/confine.hpp"
#include "builder/guest/namespaces/inside/mounts.hpp"
#include "builder/guest/namespaces/inside/notify.hpp"
#include "builder/guest/sandbox.hpp"

namespace imgforge::guest {
namespace {

struct Pipe {
  core::Fd read;
  core::Fd write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  require(::pipe2(ends.data(), O_CLOEXEC), Step::kFork);
  return {core::Fd(ends[0]), core::Fd(ends[1])};
}

template <class Words>
std::vector<char*> pointers_to(const Words& words) {
  std::vector<char*> out;
  for (const std::string_view word : words) out.push_back(const_cast<char*>(word.data()));
  out.push_back(nullptr);
  return out;
}

/// When memory runs out, the script goes and not what the user works with.
void offer_to_oom_killer() {
  const core::Fd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  static_cast<void>(::write(file.get(), "1000", 4) == 4);
}

void set_streams(int null, int output, int errors) {
  require(::dup2(null, 0), Step::kShell);
  require(::dup2(output, 1), Step::kShell);
  require(::dup2(errors, 2), Step::kShell);
}

void become_shell(const ScriptCall& call) {
  ::setsid();
  // As a job in the background has it, which the script is in the appliance.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGQUIT, SIG_IGN);
  ::signal(SIGPIPE, SIG_DFL);
  ::signal(SIGXFSZ, SIG_IGN);  // told as "File too large"
  ::umask(022);
  const std::vector<char*> words = pointers_to(call.words);
  const std::vector<char*> environment = pointers_to(kScriptEnvironment);
  ::execve(words.front(), words.data(), environment.data());
  require(-1, Step::kShell);
}

/// PID 1 of the script's namespace: waits for the shell, and for what lost its parent meanwhile.
int wait_as_init(pid_t shell) {
  while (true) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, 0);
    if (pid < 0 && errno != EINTR) return 255;
    if (pid != shell) continue;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
}

int run_as_init(const ScriptCall& call, int output, int errors, int owners) {
  offer_to_oom_killer();
  const core::Fd null(require(::open("/dev/null", O_RDWR | O_CLOEXEC), Step::kMountTmpfs));
  enter_root(call.media);
  set_streams(null.get(), output, errors);
  ListenerPair::hand_over(owners, confine({call.file_limit}, call.ids));
  const pid_t shell = require(::fork(), Step::kFork);
  if (shell == 0) become_shell(call);
  return wait_as_init(shell);
}

void tell(int failure, const StepFailure& error) {
  const std::array<int, 2> numbers{static_cast<int>(error.step), error.error_number};
  static_cast<void>(::write(failure, numbers.data(), sizeof numbers) > 0);
}

/// What the init of the sandbox has open is not for scripts, nor for the process that waits for them.
template <std::size_t N>
void keep_only(std::array<int, N>& kept) {
  for (int& fd : kept) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 100);
  for (std::size_t i = 0; i < N; ++i) kept[i] = ::dup3(kept[i], static_cast<int>(3 + i), O_CLOEXEC);
  ::close_range(3 + N, ~0U, 0);
}

}  // namespace

RunningScript start_script(const ScriptCall& call, Streams streams) {
  Pipe output = make_pipe();
  Pipe errors = streams == Streams::kApart ? make_pipe() : Pipe{};
  Pipe failure = make_pipe();
  ListenerPair owners;
  const pid_t pid = require(clone_process(CLONE_NEWPID | CLONE_NEWNS), Step::kUnshare);
  if (pid == 0) {
    const int out = output.write.get();
    std::array<int, 4> kept{out, errors.write ? errors.write.get() : out, failure.write.get(),
                            owners.inner()};
    keep_only(kept);
    int code = 255;
    try {
      code = run_as_init(call, kept[0], kept[1], kept[3]);
    } catch (const StepFailure& error) {
      tell(kept[2], error);
    }
    ::_exit(code);
  }
  return {pid, std::move(output.read), std::move(errors.read), owners.receive(), std::move(failure.read)};
}

}  // namespace imgforge::guest
