#include "builder/machines/move/peer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <thread>

#include "builder/machine/tools.hpp"
#include "core/error.hpp"
#include "core/file_bytes.hpp"
#include "core/json.hpp"
#include "core/kind_names.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Kind;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kScheme = "ssh://";
constexpr std::size_t kLongestAnswer = 1 << 20;
constexpr std::uint64_t kMostSaid = 64 << 10;

struct Host {
  std::string name;  ///< with the user
  std::string port;
};

Host parse_host(std::string_view to) {
  const Error malformed =
      Error(Kind::kUsage, fmt::format("\"{}\" is no place to move to", core::escaped(to, 200)))
          .hint("write ssh://[USER@]HOST[:PORT], or the path of a state folder of this host");
  Host host;
  std::string_view rest = to.substr(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && rest.find(']', colon) == std::string_view::npos) {
    host.port = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    unsigned port = 0;
    const auto [end, error] = std::from_chars(host.port.data(), host.port.data() + host.port.size(), port);
    if (error != std::errc() || end != host.port.data() + host.port.size() || port == 0 || port > 65535)
      throw malformed;
  }
  host.name = rest;
  const bool good = std::all_of(rest.begin(), rest.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-@:[]").find(c) != std::string_view::npos;
  });
  const std::size_t at = host.name.find('@');
  if (!good || host.name.empty() || host.name.front() == '-' || at == 0 || at + 1 == host.name.size() ||
      (at != std::string::npos && host.name[at + 1] == '-'))
    throw malformed;
  return host;
}

[[noreturn]] void become(const PeerCommand& command, int in, int out, int err) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setpgid(0, 0);
  if (!command.state_home.empty()) ::setenv("XDG_STATE_HOME", command.state_home.c_str(), 1);
  std::vector<std::string> words = command.words;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv.front(), argv.data());
  ::_exit(127);
}

std::array<core::Fd, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw core::system_error(errno, "cannot create", "a pipe");
  return {core::Fd(ends[0]), core::Fd(ends[1])};
}

void copy(int from, int to) {
  std::array<char, 1 << 16> buffer;
  while (true) {
    const ssize_t n = ::read(from, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    ssize_t done = 0;
    while (done < n) {
      const ssize_t m = ::write(to, buffer.data() + done, static_cast<std::size_t>(n - done));
      if (m < 0 && errno == EINTR) continue;
      if (m <= 0) return;
      done += m;
    }
  }
}

}  // namespace

void check_destination(const std::string& to) {
  if (!to.starts_with('/')) {
    if (!to.starts_with(kScheme))
      throw Error(Kind::kUsage, fmt::format("\"{}\" is no place to move to", core::escaped(to, 200)))
          .hint("write ssh://[USER@]HOST[:PORT], or the path of a state folder of this host");
    parse_host(to);
  }
}

PeerCommand peer_command(const Destination& destination, const std::vector<std::string>& words,
                         const std::string& program) {
  std::vector<std::string> all{destination.program.empty() ? program : destination.program, "--json",
                               "--progress", "plain"};
  if (!destination.store.empty()) all.insert(all.end(), {"--output-dir", destination.store});
  all.push_back("vm");
  all.insert(all.end(), words.begin(), words.end());
  if (!destination.to.starts_with(kScheme)) return {all, destination.to};
  const Host host = parse_host(destination.to);
  std::vector<std::string> ssh{machine::require_program("ssh").native(), "-T"};
  for (const std::string& option : destination.ssh_options) ssh.insert(ssh.end(), {"-o", option});
  if (!host.port.empty()) ssh.insert(ssh.end(), {"-p", host.port});
  if (destination.program.empty()) all.front() = "imgforge";
  ssh.insert(ssh.end(), {host.name, core::shell_words(all)});
  return {ssh, {}};
}

Peer::Peer(const PeerCommand& command, int both) {
  ::signal(SIGPIPE, SIG_IGN);
  err_ = core::Fd(::memfd_create("imgforge", MFD_CLOEXEC));
  if (!err_) throw core::system_error(errno, "cannot create", "a file in memory");
  std::array<core::Fd, 2> in;
  std::array<core::Fd, 2> out;
  if (both < 0) {
    in = make_pipe();
    out = make_pipe();
  }
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw core::system_error(errno, "cannot start", command.words.front());
  if (pid_ == 0) {
    if (::getppid() != parent) ::_exit(127);
    become(command, both < 0 ? in[0].get() : both, both < 0 ? out[1].get() : both, err_.get());
  }
  in_ = std::move(in[1]);
  out_ = std::move(out[0]);
}

Peer::~Peer() {
  if (ended_) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Peer::say(std::string_view text) {
  core::write_all(in_.get(), text, "the other host");
}

std::string Peer::said() const {
  std::string text;
  core::read_range(err_.get(), "what the other host said", 0, kMostSaid,
                   [&](std::span<const std::byte> data) {
                     text.append(reinterpret_cast<const char*>(data.data()), data.size());
                   });
  return text;
}

std::vector<std::string> Peer::warnings() const {
  std::vector<std::string> lines;
  for (const std::string& line : core::split(said(), '\n'))
    if (line.starts_with("warning: ")) lines.push_back(core::escaped(line.substr(9), 400));
  return lines;
}

void Peer::fail() const {
  const std::string text = said();
  const std::size_t start = text.find('{');
  try {
    if (start == std::string::npos) throw Error(Kind::kMachine, "");
    const core::Json error =
        core::parse_json(std::string_view(text).substr(start), "the other host").at("error");
    Error thrown(core::kind_named(error.value("code", "")).value_or(Kind::kMachine),
                 "the other host: " + core::escaped(error.value("message", ""), 2000));
    if (const std::string hint = error.value("hint", ""); !hint.empty())
      thrown.hint("there: " + core::escaped(hint, 2000));
    throw thrown;
  } catch (const core::Json::exception&) {
  } catch (const Error& error) {
    if (!error.message().empty() && error.message().starts_with("the other host: ")) throw;
  }
  throw Error(Kind::kMachine, fmt::format("imgforge on the other host ended with exit code {}", code_))
      .quote(core::tail_lines(text));
}

core::Json Peer::next(milliseconds patience, const core::CancelToken& cancel) {
  const auto deadline = Clock::now() + patience;
  while (true) {
    const std::size_t end = pending_.find('\n');
    if (end != std::string::npos) {
      const std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return core::parse_json(line, "the other host", {kLongestAnswer, 16});
    }
    if (pending_.size() > kLongestAnswer) throw Error(Kind::kUnsafe, "the other host does not stop talking");
    cancel.check();
    if (Clock::now() > deadline) throw Error(Kind::kTimeout, "the other host does not answer");
    pollfd poll{out_.get(), POLLIN, 0};
    if (::poll(&poll, 1, 100) <= 0) continue;
    std::array<char, 4096> buffer;
    const ssize_t n = ::read(out_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      finish(milliseconds(5000), cancel);
      throw Error(Kind::kMachine, "the other host ended without an answer");
    }
    pending_.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

void Peer::finish(milliseconds patience, const core::CancelToken& cancel) {
  const auto deadline = Clock::now() + patience;
  int status = 0;
  while (!ended_) {
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_) {
      ended_ = true;
      code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      break;
    }
    cancel.check();
    if (Clock::now() > deadline) throw Error(Kind::kTimeout, "imgforge on the other host does not end");
    ::usleep(2000);
  }
  if (code_ != 0) fail();
}

core::Json ask_peer(const PeerCommand& command, std::string_view input, milliseconds patience,
                    const core::CancelToken& cancel) {
  Peer peer(command);
  try {
    peer.say(input);
  } catch (const Error&) {
    // It ended before: it says why.
  }
  peer.close_input();
  core::Json answer = peer.next(patience, cancel);
  peer.finish(patience, cancel);
  return answer;
}

void relay_streams(core::Fd socket) {
  ::signal(SIGPIPE, SIG_IGN);
  std::thread back([&] {
    copy(socket.get(), STDOUT_FILENO);
    ::_exit(0);  // nothing more comes, and whoever reads here sees that
  });
  copy(STDIN_FILENO, socket.get());
  ::shutdown(socket.get(), SHUT_WR);
  back.join();
}

}  // namespace imgforge::machines
