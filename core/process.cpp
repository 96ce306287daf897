#include "core/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::core {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Pipe {
  Fd read;
  Fd write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw system_error(errno, "cannot create", "a pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

std::vector<std::string> environment_of(const Command& command) {
  std::map<std::string, std::string> values{{"LC_ALL", "C"}, {"TZ", "UTC"}};
  for (const char* name : {"PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME"}) {
    if (const char* value = std::getenv(name)) values[name] = value;
  }
  for (const auto& [name, value] : command.environment) values[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : values) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

struct ChildFds {
  int in;
  int out;
  int err;
};

/// A child that ends without reading its input makes a write fail; it must not kill this process.
void ignore_broken_pipes() {
  static const bool done = ::signal(SIGPIPE, SIG_IGN) != SIG_ERR;
  static_cast<void>(done);
}

/// posix_spawn(3) cannot set the signal of the parent's death.
pid_t fork_child(const std::filesystem::path& program, const Command& command, ChildFds fds,
                 char* const* argv, char* const* envp) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw system_error(errno, "cannot start", program.native());
  if (pid > 0) {
    ::setpgid(pid, pid);  // as the child does: whichever is first, the group is there for whoever kills it
    return pid;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it was gone before
  ::dup2(fds.in, 0);
  ::dup2(fds.out, 1);
  ::dup2(fds.err, 2);
  if (!command.directory.empty() && ::chdir(command.directory.c_str()) != 0) ::_exit(127);
  ::setpgid(0, 0);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(program.c_str(), argv, envp);
  ::_exit(127);
}

pid_t spawn(const Command& command, ChildFds fds) {
  ignore_broken_pipes();
  const std::filesystem::path program = find_program(command.program);
  if (program.empty()) throw Error(Kind::kMachine, "the program " + command.program + " is not installed");
  std::vector<std::string> words{command.program};
  words.insert(words.end(), command.args.begin(), command.args.end());
  std::vector<std::string> environment = environment_of(command);
  const std::vector<char*> argv = pointers_to(words);
  const std::vector<char*> envp = pointers_to(environment);

  if (command.ends_with_caller) return fork_child(program, command, fds, argv.data(), envp.data());
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, fds.in, 0);
  posix_spawn_file_actions_adddup2(&actions, fds.out, 1);
  posix_spawn_file_actions_adddup2(&actions, fds.err, 2);
  if (!command.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, command.directory.c_str());
  // Own process group (killed as one), default signal handling whatever we changed.
  sigset_t defaults;
  sigfillset(&defaults);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) throw system_error(error, "cannot start", program.native());
  return pid;
}

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void keep_tail(std::string& text, std::size_t limit) {
  if (text.size() > 2 * limit) text.erase(0, text.size() - limit);
}

void kill_group(pid_t pid) {
  ::kill(-pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

/// Appends what can be read now; false at the end of the stream.
bool drain(const Fd& fd, std::string& into) {
  std::array<char, 1 << 16> buffer;
  const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
  if (n > 0) into.append(buffer.data(), static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

class SystemProcesses : public ProcessRunner {
 public:
  ProcessResult run(const Command& command, const CancelToken& cancel) override {
    cancel.check();
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    Fd file;
    if (command.output_file) file = open_file(*command.output_file, O_WRONLY | O_CREAT | O_TRUNC);
    if (command.input_file) in.read = open_regular(*command.input_file);
    const pid_t pid = spawn(command, {in.read.get(), file ? file.get() : out.write.get(), err.write.get()});
    in.read.reset();
    out.write.reset();
    err.write.reset();
    try {
      ProcessResult result;
      pump(command, cancel, in.write, out.read, err.read, result);
      result.exit_code = wait(pid, command, cancel);
      return result;
    } catch (...) {
      kill_group(pid);
      throw;
    }
  }

 private:
  static SteadyClock::time_point deadline_of(const Command& command, SteadyClock::time_point start) {
    return start + command.timeout;
  }

  static void pump(const Command& command, const CancelToken& cancel, Fd& in, Fd& out, Fd& err,
                   ProcessResult& result) {
    const auto deadline = deadline_of(command, SteadyClock::now());
    std::string_view input = command.input;
    if (input.empty()) in.reset();
    if (in) ::fcntl(in.get(), F_SETFL, O_NONBLOCK);
    while (in || out || err) {
      cancel.check();
      if (SteadyClock::now() > deadline) throw timed_out(command);
      std::array<pollfd, 3> polls{pollfd{in.get(), POLLOUT, 0}, pollfd{out.get(), POLLIN, 0},
                                  pollfd{err.get(), POLLIN, 0}};
      if (::poll(polls.data(), polls.size(), 100) <= 0) continue;
      if (in && polls[0].revents != 0) {
        const ssize_t n = ::write(in.get(), input.data(), input.size());
        if (n > 0) input.remove_prefix(static_cast<std::size_t>(n));
        if (input.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) in.reset();
      }
      if (out && polls[1].revents != 0 && !drain(out, result.out)) out.reset();
      if (err && polls[2].revents != 0 && !drain(err, result.err)) err.reset();
      keep_tail(result.out, command.output_limit);
      keep_tail(result.err, command.output_limit);
    }
  }

  static int wait(pid_t pid, const Command& command, const CancelToken& cancel) {
    const auto deadline = deadline_of(command, SteadyClock::now());
    while (true) {
      int status = 0;
      const pid_t done = ::waitpid(pid, &status, WNOHANG);
      if (done == pid) return exit_code_of(status);
      if (done < 0 && errno != EINTR) throw system_error(errno, "cannot wait for", command.program);
      cancel.check();
      if (SteadyClock::now() > deadline) throw timed_out(command);
      ::usleep(1000);
    }
  }

  static Error timed_out(const Command& command) {
    return Error(Kind::kTimeout,
                 fmt::format("{} did not end within {} s", command.program, command.timeout.count() / 1000));
  }
};

}  // namespace

ProcessResult ProcessRunner::check(const Command& command, const CancelToken& cancel, Kind kind) {
  ProcessResult result = run(command, cancel);
  if (result.exit_code != 0) {
    const std::string_view output = trimmed(result.err).empty() ? result.out : result.err;
    throw Error(kind, fmt::format("{} failed with exit code {}", command.program, result.exit_code))
        .quote(tail_lines(output));
  }
  return result;
}

ProcessRunner& system_processes() {
  static SystemProcesses processes;
  return processes;
}

std::filesystem::path find_program(std::string_view name) {
  if (name.find('/') != std::string_view::npos) {
    return ::access(std::string(name).c_str(), X_OK) == 0 ? std::filesystem::path(name)
                                                          : std::filesystem::path();
  }
  const char* path = std::getenv("PATH");
  std::vector<std::string> folders = split(path == nullptr ? "/usr/bin:/bin" : path, ':');
  folders.insert(folders.end(), {"/usr/sbin", "/sbin"});
  for (const std::string& folder : folders) {
    const std::filesystem::path candidate = std::filesystem::path(folder) / name;
    if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

struct ChildProcess::State {
  pid_t pid = -1;
  Fd in;
  Fd out;
  std::optional<int> exit_code;
};

ChildProcess::ChildProcess(const Command& command) : state_(std::make_unique<State>()) {
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  state_->pid = spawn(command, {in.read.get(), out.write.get(), out.write.get()});
  state_->in = std::move(in.write);
  state_->out = std::move(out.read);
}

ChildProcess::~ChildProcess() {
  if (state_) kill();
}

ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;

std::string ChildProcess::read(std::chrono::milliseconds wait) {
  std::string text;
  pollfd poll{state_->out.get(), POLLIN, 0};
  if (state_->out && ::poll(&poll, 1, static_cast<int>(wait.count())) > 0 && !drain(state_->out, text)) {
    state_->out.reset();
  }
  return text;
}

bool ChildProcess::at_end() const {
  return !state_->out;
}

void ChildProcess::write(std::string_view text) {
  write_all(state_->in.get(), text, "a child process");
}

std::optional<int> ChildProcess::poll_exit() {
  int status = 0;
  if (!state_->exit_code && ::waitpid(state_->pid, &status, WNOHANG) == state_->pid) {
    state_->exit_code = exit_code_of(status);
  }
  return state_->exit_code;
}

void ChildProcess::kill() noexcept {
  if (state_->exit_code) return;
  kill_group(state_->pid);
  state_->exit_code = 128 + SIGKILL;
}

int ChildProcess::pid() const {
  return state_->pid;
}

int ChildProcess::output() const {
  return state_->out.get();
}

}  // namespace imgforge::core
