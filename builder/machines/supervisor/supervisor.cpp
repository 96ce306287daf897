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
#include "builder/machines/qemu/ports.hpp"
#include "builder/machines/supervisor/clients.hpp"
#include "builder/machines/supervisor/console_log.hpp"
#include "builder/machines/supervisor/dialogue.hpp"
#include "builder/machines/supervisor/ladder.hpp"
#include "builder/machines/supervisor/ssh_probe.hpp"
#include "core/error.hpp"
#include "core/local_socket.hpp"
#include "core/process.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr milliseconds kStartPatience{20000};
constexpr milliseconds kMonitorPatience{20000};
constexpr milliseconds kQuitPatience{3000};
constexpr milliseconds kAgentShutdownPatience{5000};
constexpr milliseconds kRoomPause{2000};  // between two looks whether a full disk has room again
constexpr unsigned kMostAgentSeconds = 24 * 3600;

core::ChildProcess start_qemu(const Start& start) {
  for (const char* socket : {kConsoleSocket, kMonitorSocket, kAgentSocket}) fs::remove(start.folder / socket);
  check_ports(start.settings);
  core::Command command;
  command.program = start.qemu.native();
  command.args =
      machine_words(start.settings, start.accelerator.accelerator, {start.folder, start.firmware_code});
  command.directory = start.folder;
  command.environment["TMPDIR"] = start.folder.native();
  command.ends_with_caller = true;
  return core::ChildProcess(command);
}

/// Connects to a socket that QEMU is about to make.
core::Fd connect_to(core::ChildProcess& qemu, const fs::path& folder, const char* name) {
  const auto deadline = Clock::now() + kStartPatience;
  while (true) {
    if (auto socket = core::connect_local(folder, name)) return *std::move(socket);
    if (qemu.poll_exit()) {
      std::string said;
      while (!qemu.at_end()) said += qemu.read(milliseconds(100));
      throw Error(Kind::kBoot, "QEMU did not start").quote(core::tail_lines(said));
    }
    if (Clock::now() > deadline) throw Error(Kind::kBoot, "QEMU does not open its channels");
    ::usleep(2000);
  }
}

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

std::string ending_of(int code) {
  if (code == 0) return "QEMU ended";
  const char* signal = code > 128 ? ::sigabbrev_np(code - 128) : nullptr;
  return signal != nullptr ? fmt::format("QEMU ended by SIG{}", signal)
                           : fmt::format("QEMU ended with exit code {}", code);
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
        log_(start.folder),
        qemu_(start_qemu(start)),
        console_(connect_to(qemu_, start.folder, kConsoleSocket), kConsoleKept),
        monitor_(connect_to(qemu_, start.folder, kMonitorSocket), Dialogue::Partner::kMonitor),
        clients_(start.folder, [this](Clients::Id id, const Json& request) { handle(id, request); }) {
    if (start.settings.may_have_agent())
      agent_.emplace(connect_to(qemu_, start.folder, kAgentSocket), Dialogue::Partner::kAgent);
    if (start.settings.may_have_ssh()) ssh_.emplace(start.settings.ssh_port);
    monitor_.on_event = [this](const Json& event) { take_event(event); };
    monitor_.on_open = [this] { tell(ladder_.reach("process", Clock::now())); };
    if (agent_) agent_->on_open = [this] { tell(ladder_.reach("agent", Clock::now())); };
    clients_.on_typed = [this](std::string_view text) { console_.send(text); };
    clients_.on_owner_gone = [this] { stop_now(); };
  }

  Ending run() {
    ladder_.restart(Clock::now());
    while (true) {
      wait();
      take_signals();
      take_console();
      monitor_.work();
      if (agent_ && !agent_->is_closed()) agent_->work();
      clients_.work();
      pass_time(Clock::now());
      static_cast<void>(qemu_.read(milliseconds(0)));
      if (const std::optional<int> code = qemu_.poll_exit()) return end(*code);
    }
  }

 private:
  void wait() {
    std::vector<pollfd> polls{{signals_.get(), POLLIN, 0}};
    if (!console_.is_closed()) polls.push_back({console_.fd(), console_.events(), 0});
    if (!monitor_.is_closed()) polls.push_back({monitor_.fd(), monitor_.events(), 0});
    if (agent_ && !agent_->is_closed()) polls.push_back({agent_->fd(), agent_->events(), 0});
    if (qemu_.output() >= 0) polls.push_back({qemu_.output(), POLLIN, 0});
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
    std::optional<Clock::time_point> next = monitor_.deadline();
    const auto also = [&](std::optional<Clock::time_point> other) {
      if (other && (!next || *other < *next)) next = other;
    };
    if (agent_) also(agent_->deadline());
    if (ssh_ && probes()) also(ssh_->next());
    also(quit_until_);
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
    if (console_.is_closed()) return;
    console_.work();
    const std::string raw = console_.take_all();
    if (raw.empty()) return;
    log_.take(raw);
    clients_.show(raw);
    tell(ladder_.take(raw, Clock::now()));
  }

  bool probes() const { return includes(ladder_.reached(), "kernel"); }

  void pass_time(Clock::time_point now) {
    monitor_.pass_time(now);
    if (agent_) agent_->pass_time(now);
    if (ssh_ && probes() && ssh_->work(now)) {
      ssh_.reset();
      tell(ladder_.reach("ssh", now));
    }
    if (quit_until_ && now >= *quit_until_) qemu_.kill();
    if (room_at_ && now >= *room_at_) {
      room_at_.reset();
      ask_monitor("cont");
    }
  }

  void take_event(const Json& event) {
    const std::string name = event.value("event", "");
    const Json data = event.value("data", Json::object());
    if (name == "VSERPORT_CHANGE" && agent_ && data.value("id", "") == kAgentDevice) {
      agent_->set_port(data.value("open", false));
    } else if (name == "RESET" && data.value("guest", false)) {
      ladder_.restart(Clock::now());
      if (start_.settings.may_have_ssh()) ssh_.emplace(start_.settings.ssh_port);
      tell(ladder_.reach("process", Clock::now()));
      clients_.tell({{"event", "restart"}});
    } else if (name == "SHUTDOWN") {
      guest_ended_ = data.value("guest", false);
    } else if (name == "BLOCK_IO_ERROR") {
      paused_ = data.value("nospace", false) ? "the disk of the host is full" : "the disk cannot be used";
      if (data.value("nospace", false)) room_at_ = Clock::now() + kRoomPause;
      clients_.tell({{"event", "paused"}, {"why", paused_}});
    } else if (name == "STOP" && paused_.empty()) {
      paused_ = "stopped";
    } else if (name == "RESUME") {
      paused_.clear();
      clients_.tell({{"event", "resumed"}});
    }
  }

  void tell(const std::vector<Reached>& fresh) {
    for (const Reached& state : fresh) {
      Json event{{"event", "state"}};
      event.update(as_json(state));
      clients_.tell(event);
    }
  }

  void ask_monitor(const char* command) {
    monitor_.ask({{"execute", command}}, kMonitorPatience, [](const Answer&) {});
  }

  void ask_to_stop() {
    stopping_ = true;
    if (!agent_ || !agent_->is_open()) return ask_monitor("system_powerdown");
    // It does not answer when it obeys (qemu-ga-ref, guest-shutdown). Where it does, the guest may lack the
    // program shutdown(8), as Alpine does, and have poweroff(8).
    ask_agent_to_end({{"execute", "guest-shutdown"}}, [this] {
      ask_agent_to_end({{"execute", "guest-exec"}, {"arguments", {{"path", "poweroff"}}}},
                       [this] { ask_monitor("system_powerdown"); });
    });
  }

  void ask_agent_to_end(const Json& question, const std::function<void()>& otherwise) {
    agent_->ask(question, kAgentShutdownPatience, [otherwise](const Answer& answer) {
      if (answer.timed_out || answer.line.find("\"error\"") != std::string::npos) otherwise();
    });
  }

  /// What QEMU has in memory for the disk is written, if it still can.
  void stop_now() {
    stopping_ = true;
    if (start_.settings.disposable || !monitor_.is_open()) return qemu_.kill();
    if (!quit_until_) quit_until_ = Clock::now() + kQuitPatience;
    ask_monitor("quit");
  }

  Json status() const {
    Json states = Json::array();
    for (const Reached& state : ladder_.reached()) states.push_back(as_json(state));
    return {{"name", start_.settings.name},
            {"pid", ::getpid()},
            {"qemu_pid", qemu_.pid()},
            {"accelerator", machine::accelerator_name(start_.accelerator.accelerator)},
            {"accelerator_reason", core::escaped(start_.accelerator.reason)},
            {"states", states},
            {"agent", agent_ && agent_->is_open()},
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
    if (command == "qmp") return relay(id, monitor_, request.at("request"), kMonitorPatience);
    if (command == "attach") {
      return clients_.attach(
          id, request.value("write", false) ? Clients::Wants::kWrite : Clients::Wants::kRead, log_.recent());
    }
    if (command == "stop") {
      clients_.answer(id, Json::object());
      return request.value("how", "ask") == "kill" ? stop_now() : ask_to_stop();
    }
    throw Error(Kind::kUsage, "there is no such command");
  }

  void relay_to_agent(Clients::Id id, const Json& request) {
    if (!agent_) throw Error(Kind::kUsage, "the machine has no agent, says the manifest of its release");
    const unsigned seconds = std::clamp(request.value("seconds", 10U), 1U, kMostAgentSeconds);
    relay(id, *agent_, request.at("request"), std::chrono::seconds(seconds));
  }

  void relay(Clients::Id id, Dialogue& partner, const Json& question, milliseconds patience) {
    partner.ask(question, patience, [this, id](const Answer& answer) {
      if (!answer.failure.empty())
        return clients_.refuse(id, answer.timed_out ? Kind::kTimeout : Kind::kBoot, answer.failure);
      clients_.answer_line(id, answer.line);
    });
  }

  Ending end(int code) {
    take_console();
    Ending ending;
    if (stopping_) {
      ending.how = "stopped";
    } else if (guest_ended_ && code == 0) {
      ending.how = "the guest shut down";
    } else {
      ending = {ending_of(code), true};
    }
    clients_.tell({{"event", "end"}, {"how", ending.how}, {"failed", ending.failed}});
    clients_.finish();
    return ending;
  }

  const Start start_;
  Clock::time_point began_ = Clock::now();
  core::Fd signals_;
  Ladder ladder_;
  ConsoleLog log_;
  core::ChildProcess qemu_;
  Channel console_;
  Dialogue monitor_;
  std::optional<Dialogue> agent_;
  std::optional<SshProbe> ssh_;
  Clients clients_;
  bool stopping_ = false;
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
