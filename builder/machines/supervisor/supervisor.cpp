#include "builder/machines/supervisor/supervisor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "builder/machines/control/control.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "builder/machines/supervisor/clients.hpp"
#include "builder/machines/supervisor/console_log.hpp"
#include "builder/machines/supervisor/dialogue.hpp"
#include "builder/machines/supervisor/hook.hpp"
#include "builder/machines/supervisor/ladder.hpp"
#include "builder/machines/supervisor/memory_watch.hpp"
#include "builder/machines/supervisor/move_guard.hpp"
#include "builder/machines/supervisor/running_qemu.hpp"
#include "builder/machines/supervisor/ssh_probe.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr milliseconds kMonitorPatience{20000};
constexpr milliseconds kQuitPatience{3000};
constexpr milliseconds kAgentShutdownPatience{5000};
constexpr milliseconds kRoomPause{2000};  // between two looks whether a full disk has room again
constexpr unsigned kMostAgentSeconds = 24 * 3600;

core::Fd signal_descriptor() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&signals, number);
  core::Fd fd;
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) == 0)
    fd = core::Fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) throw core::system_error(errno, "cannot wait for", "signals");
  return fd;
}

/// In one line, with the last one that QEMU printed.
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

/// Whether it is worth trying again to write there: each try that fails is told as another pause.
bool has_room(const fs::path& folder) {
  constexpr std::uintmax_t kRoom = 4U << 20;
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  return error || space.available >= kRoom;
}

Json as_json(const Reached& state) {
  return {{"name", state.name}, {"seconds", state.seconds}};
}

}  // namespace

class Supervisor::Loop {
 public:
  explicit Loop(const Start& start)
      : start_(start),
        signals_(signal_descriptor()),
        ladder_(start.settings.expect),
        log_(start.folder / kConsoleLog),
        events_(start.folder / kEventLog, kLargestEventLog),
        hook_(start.settings.hook),
        memory_(start.settings),
        clients_(start.folder, [this](Clients::Id id, const Json& request) { handle(id, request); }) {
    clients_.on_typed = [this](std::string_view text) { qemu_->console().send(text); };
    clients_.on_owner_gone = [this] { stop_now(); };
    memory_.on_change = [this](const MemoryChange& change) {
      announce({{"event", "memory"}, {"bytes", change.bytes}, {"why", change.why}});
    };
    clients_.on_mover_gone = [this] {
      settle_abandoned_move(start_.folder, qemu_->monitor(), [this] { stop_now(); });
    };
    for (const std::string& state : start_.reached) tell(ladder_.reach(state, Clock::now()));
    start_qemu();
  }

  Ending run() {
    while (true) {
      wait();
      take_signals();
      qemu_->work();
      take_console();
      clients_.work();
      pass_time(Clock::now());
      const std::optional<int> code = qemu_->poll_exit();
      if (!code) continue;
      if (!restarts_ || stopping_ || *code != 0) return end(ending(*code));
      try {
        begin_anew();
      } catch (const Error& error) {
        return end({"it was restarted from inside, and then: " + error.message(), true});
      }
    }
  }

 private:
  void start_qemu() {
    qemu_ = std::make_unique<RunningQemu>(start_);
    qemu_->monitor().on_event = [this](const Json& event) { take_event(event); };
    qemu_->monitor().on_open = [this] { tell(ladder_.reach("process", Clock::now())); };
    if (agent()) agent()->on_open = [this] { tell(ladder_.reach("agent", Clock::now())); };
    if (start_.settings.may_have_ssh()) ssh_.emplace(start_.settings.ssh_port);
    qemu_->wait_until_up(start_.settings);
  }

  /// A new QEMU, for the same clients.
  void begin_anew() {
    take_console();
    qemu_->work();  // who waits for an answer of the old one learns that there is none
    restarts_ = guest_ended_ = false;
    paused_.clear();
    room_at_.reset();
    start_.more.clear();
    told_restart();
    start_qemu();
  }

  void told_restart() {
    ladder_.restart(Clock::now());
    memory_.restart();
    announce({{"event", "restart"}});
  }

  /// Whoever wants to know is told.
  void announce(Json event) {
    clients_.tell(event);
    event["machine"] = start_.settings.name;
    event["time"] = core::iso_time(core::system_clock().now());
    const std::string line = event.dump();
    events_.take(line + "\n");
    hook_.call(line);
  }

  Dialogue* agent() { return qemu_->agent(); }

  void wait() {
    std::vector<pollfd> polls{{signals_.get(), POLLIN, 0}};
    qemu_->add_to(polls);
    if (ssh_ && ssh_->fd() >= 0) polls.push_back({ssh_->fd(), POLLIN, 0});
    clients_.add_to(polls);
    int timeout = -1;
    if (const auto deadline = next_deadline()) {
      const auto left = std::chrono::ceil<milliseconds>(*deadline - Clock::now()).count();
      timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
    }
    ::poll(polls.data(), polls.size(), timeout);
  }

  std::optional<Clock::time_point> next_deadline() const {
    std::optional<Clock::time_point> next = qemu_->deadline();
    const auto also = [&](std::optional<Clock::time_point> other) {
      if (other && (!next || *other < *next)) next = other;
    };
    if (ssh_ && probes()) also(ssh_->next());
    also(quit_until_);
    also(memory_.deadline());
    also(hook_.deadline());
    also(room_at_);
    return next;
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo == SIGCHLD) continue;
      if (stopping_) {
        stop_now();
      } else {
        ask_to_stop();
      }
    }
  }

  void take_console() {
    const std::string raw = qemu_->console().take_all();
    if (raw.empty()) return;
    log_.take(raw);
    clients_.show(raw);
    tell(ladder_.take(raw, Clock::now()));
  }

  bool probes() const { return includes(ladder_.reached(), "kernel"); }

  void pass_time(Clock::time_point now) {
    qemu_->pass_time(now);
    if (ssh_ && probes() && ssh_->work(now)) {
      ssh_.reset();
      tell(ladder_.reach("ssh", now));
    }
    memory_.work(qemu_->monitor(), now);
    hook_.work(now);
    if (quit_until_ && now >= *quit_until_) qemu_->kill();
    if (room_at_ && now >= *room_at_) {
      if (has_room(start_.folder)) {
        room_at_.reset();
        ask_monitor("cont");
      } else {
        room_at_ = now + kRoomPause;
      }
    }
  }

  void take_event(const Json& event) {
    const std::string name = event.value("event", "");
    const Json data = event.value("data", Json::object());
    if (name == "VSERPORT_CHANGE" && agent() && data.value("id", "") == kAgentDevice) {
      agent()->set_port(data.value("open", false));
    } else if (name == "RESET" && data.value("guest", false)) {
      if (start_.settings.may_have_ssh()) ssh_.emplace(start_.settings.ssh_port);
      told_restart();
      tell(ladder_.reach("process", Clock::now()));
    } else if (name == "SHUTDOWN") {
      guest_ended_ = data.value("guest", false);
      restarts_ = data.value("reason", "").ends_with("reset");
    } else if (name == "BLOCK_IO_ERROR") {
      paused_ = data.value("nospace", false) ? "the disk of the host is full" : "the disk cannot be used";
      if (data.value("nospace", false)) room_at_ = Clock::now() + kRoomPause;
      announce({{"event", "paused"}, {"why", paused_}});
    } else if (name == "STOP" && paused_.empty()) {
      paused_ = "stopped";
    } else if (name == "RESUME") {
      paused_.clear();
      announce({{"event", "resumed"}});
    }
  }

  void tell(const std::vector<Reached>& fresh) {
    for (const Reached& state : fresh) {
      Json event{{"event", "state"}};
      event.update(as_json(state));
      announce(std::move(event));
    }
  }

  void ask_monitor(const char* command) {
    qemu_->monitor().ask({{"execute", command}}, kMonitorPatience, [](const Answer&) {});
  }

  void ask_to_stop() {
    stopping_ = true;
    if (!agent() || !agent()->is_open()) return ask_monitor("system_powerdown");
    // It does not answer when it obeys (qemu-ga-ref, guest-shutdown). Where it does, the guest may lack the
    // program shutdown(8), as Alpine does, and have poweroff(8).
    ask_agent_to_end({{"execute", "guest-shutdown"}}, [this] {
      ask_agent_to_end({{"execute", "guest-exec"}, {"arguments", {{"path", "poweroff"}}}},
                       [this] { ask_monitor("system_powerdown"); });
    });
  }

  void ask_agent_to_end(const Json& question, const std::function<void()>& otherwise) {
    agent()->ask(question, kAgentShutdownPatience, [otherwise](const Answer& answer) {
      if (answer.timed_out || answer.line.find("\"error\"") != std::string::npos) otherwise();
    });
  }

  /// What QEMU has in memory for the disk is written, if it still can.
  void stop_now() {
    stopping_ = true;
    if (start_.settings.disposable || !qemu_->monitor().is_open()) return qemu_->kill();
    if (!quit_until_) quit_until_ = Clock::now() + kQuitPatience;
    ask_monitor("quit");
  }

  Json status() const {
    Json states = Json::array();
    for (const Reached& state : ladder_.reached()) states.push_back(as_json(state));
    return {{"name", start_.settings.name},
            {"pid", ::getpid()},
            {"qemu_pid", qemu_->pid()},
            {"accelerator", machine::accelerator_name(start_.accelerator.accelerator)},
            {"accelerator_reason", core::escaped(start_.accelerator.reason)},
            {"states", states},
            {"agent", qemu_->agent() && qemu_->agent()->is_open()},
            {"stopping", stopping_},
            {"paused", paused_},
            {"ssh_port", start_.settings.ssh_port},
            {"uptime", std::chrono::duration<double>(Clock::now() - began_).count()}};
  }

  void handle(Clients::Id id, const Json& request) {
    const std::string command = request.at("command").get<std::string>();
    if (command == "status") return clients_.answer(id, status());
    if (command == "watch") {
      clients_.answer(id, status());
      return clients_.watch(id, request.value("owner", false) ? Clients::Owner::kYes : Clients::Owner::kNo);
    }
    if (command == "agent") return relay_to_agent(id, request);
    if (command == "qmp") return relay(id, qemu_->monitor(), request.at("request"), kMonitorPatience);
    if (command == "attach") {
      return clients_.attach(
          id, request.value("write", false) ? Clients::Wants::kWrite : Clients::Wants::kRead, log_.recent());
    }
    if (command == "move") {
      clients_.answer(id, Json::object());
      return clients_.guard(id, request.value("ends", false) ? Clients::Mover::kNo : Clients::Mover::kYes);
    }
    if (command == "stop") {
      clients_.answer(id, Json::object());
      return request.value("how", "ask") == "kill" ? stop_now() : ask_to_stop();
    }
    throw Error(Kind::kUsage, "there is no such command");
  }

  void relay_to_agent(Clients::Id id, const Json& request) {
    if (!agent()) throw Error(Kind::kUsage, "the machine has no agent, says the manifest of its release");
    const unsigned seconds = std::clamp(request.value("seconds", 10U), 1U, kMostAgentSeconds);
    relay(id, *agent(), request.at("request"), std::chrono::seconds(seconds));
  }

  void relay(Clients::Id id, Dialogue& partner, const Json& question, milliseconds patience) {
    partner.ask(question, patience, [this, id](const Answer& answer) {
      if (!answer.failure.empty())
        return clients_.refuse(id, answer.timed_out ? Kind::kTimeout : Kind::kBoot, answer.failure);
      clients_.answer_line(id, answer.line);
    });
  }

  Ending ending(int code) const {
    if (stopping_) return {"stopped", false};
    if (guest_ended_ && code == 0) return {"the guest shut down", false};
    return {ending_of(code, qemu_->said()), true};
  }

  Ending end(Ending ending) {
    take_console();
    announce({{"event", "end"}, {"how", ending.how}, {"failed", ending.failed}});
    clients_.finish();
    hook_.finish();
    return ending;
  }

  Start start_;
  Clock::time_point began_ = Clock::now();
  core::Fd signals_;
  Ladder ladder_;
  ConsoleLog log_;
  ConsoleLog events_;
  Hook hook_;
  MemoryWatch memory_;
  std::optional<SshProbe> ssh_;
  Clients clients_;
  std::unique_ptr<RunningQemu> qemu_;
  bool stopping_ = false;
  bool restarts_ = false;  ///< QEMU ends because the guest is restarted
  bool guest_ended_ = false;
  std::string paused_;  ///< why; empty: it runs
  std::optional<Clock::time_point> quit_until_;
  std::optional<Clock::time_point> room_at_;
};

Supervisor::Supervisor(const Start& start) : loop_(std::make_unique<Loop>(start)) {}
Supervisor::~Supervisor() = default;

Ending Supervisor::run() {
  return loop_->run();
}

}  // namespace imgforge::machines
