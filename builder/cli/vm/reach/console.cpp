#include "builder/cli/vm/reach/console.hpp"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

constexpr char kEscape = 0x1d;  // Ctrl-]
constexpr int kStep = 200;      // milliseconds between two looks whether the user interrupts

/// Raw mode of a terminal, as it was before when this ends.
class RawTerminal {
 public:
  RawTerminal() {
    if (::isatty(STDIN_FILENO) != 1 || ::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~RawTerminal() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

enum class Typed { kMore, kLeft };

/// Sends what was typed, up to the escape.
Typed type(machines::Channel& console) {
  std::array<char, 4096> buffer;
  const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
  if (n < 0 && errno == EINTR) return Typed::kMore;
  if (n <= 0) return Typed::kLeft;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(n));
  const std::size_t escape = text.find(kEscape);
  console.send(text.substr(0, escape));
  return escape == std::string_view::npos ? Typed::kMore : Typed::kLeft;
}

}  // namespace

ConsoleEnd attach_console(const Context& context, machines::Control& control, ConsoleUse use) {
  const core::Json answer = control.ask({{"command", "attach"}, {"write", use == ConsoleUse::kReadAndWrite}},
                                        std::chrono::seconds(20), context.cancel);
  const bool writes = answer.at("writes").get<bool>();
  if (use == ConsoleUse::kReadAndWrite && !writes)
    context.progress.note("somebody else types at this console: it is only shown");
  context.progress.note("Ctrl-] leaves the console");
  machines::Channel& console = control.channel();
  const RawTerminal raw;
  while (true) {
    const std::string said = console.take_all();
    core::write_all(STDOUT_FILENO, said, "standard output");
    if (console.is_closed()) return ConsoleEnd::kEnded;
    context.cancel.check();
    std::array<pollfd, 2> polls{pollfd{console.fd(), console.events(), 0}, pollfd{STDIN_FILENO, POLLIN, 0}};
    if (::poll(polls.data(), polls.size(), kStep) <= 0) continue;
    if (polls[0].revents != 0) console.work();
    if (polls[1].revents != 0 && type(console) == Typed::kLeft) {
      while (console.unsent() > 0 && !console.is_closed()) {
        pollfd poll{console.fd(), POLLOUT, 0};
        ::poll(&poll, 1, kStep);
        console.work();
      }
      core::write_all(STDOUT_FILENO, console.take_all(), "standard output");
      return ConsoleEnd::kLeft;
    }
  }
}

}  // namespace imgforge::cli
