#include "builder/machines/supervisor/stopping.hpp"

#include <fmt/format.h>
#include <string.h>

#include <functional>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Json;
using std::chrono::milliseconds;

constexpr milliseconds kMonitorPatience{20000};
constexpr milliseconds kQuitPatience{3000};
constexpr milliseconds kAgentPatience{5000};

void ask_monitor(RunningQemu& qemu, const char* command) {
  qemu.monitor().ask({{"execute", command}}, kMonitorPatience, [](const Answer&) {});
}

void ask_agent(RunningQemu& qemu, const Json& question, const std::function<void()>& otherwise) {
  qemu.agent()->ask(question, kAgentPatience, [otherwise](const Answer& answer) {
    if (answer.timed_out || answer.line.find("\"error\"") != std::string::npos) otherwise();
  });
}

}  // namespace

std::string ending_of(int code, const std::string& said) {
  std::string text = "QEMU ended";
  if (const char* signal = code > 128 ? ::sigabbrev_np(code - 128) : nullptr) {
    text += fmt::format(" by SIG{}", signal);
  } else if (code != 0) {
    text += fmt::format(" with exit code {}", code);
  }
  const std::string last = core::escaped(core::trimmed(core::tail_lines(said, 1)));
  return last.empty() ? text : text + ": " + last;
}

void Stopping::ask(RunningQemu& qemu) {
  begun_ = true;
  if (!qemu.agent() || !qemu.agent()->is_open()) return ask_monitor(qemu, "system_powerdown");
  // It does not answer when it obeys (qemu-ga-ref, guest-shutdown). Where it does, the guest may lack the
  // program shutdown(8), as Alpine does, and have poweroff(8).
  ask_agent(qemu, {{"execute", "guest-shutdown"}}, [&qemu] {
    ask_agent(qemu, {{"execute", "guest-exec"}, {"arguments", {{"path", "poweroff"}}}},
              [&qemu] { ask_monitor(qemu, "system_powerdown"); });
  });
}

void Stopping::end(RunningQemu& qemu) {
  begun_ = true;
  if (disposable_ || !qemu.monitor().is_open()) return qemu.kill();
  if (!quit_until_) quit_until_ = Clock::now() + kQuitPatience;
  ask_monitor(qemu, "quit");
}

void Stopping::work(RunningQemu& qemu, Clock::time_point now) {
  if (quit_until_ && now >= *quit_until_) qemu.kill();
}

}  // namespace imgforge::machines
