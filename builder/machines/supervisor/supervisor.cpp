#include "builder/machines/supervisor/supervisor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "builder/machines/control/control.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "builder/machines/supervisor/duties/hook.hpp"
#include "builder/machines/supervisor/duties/key_handover.hpp"
#include "builder/machines/supervisor/duties/ladder.hpp"
#include "builder/machines/supervisor/duties/memory_watch.hpp"
#include "builder/machines/supervisor/duties/move_guard.hpp"
#include "builder/machines/supervisor/duties/pauses.hpp"
#include "builder/machines/supervisor/duties/ssh_probe.hpp"
#include "builder/machines/supervisor/requests.hpp"
#include "builder/machines/supervisor/running_qemu.hpp"
#include "builder/machines/supervisor/signals.hpp"
#include "builder/machines/supervisor/stopping.hpp"
#include "builder/machines/supervisor/talk/clients.hpp"
#include "builder/machines/supervisor/talk/console_log.hpp"
#include "builder/machines/supervisor/talk/dialogue.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::chrono::seconds kOwnerPatience{20};

Json as_json(const Reached& state) {
  return {{"name", state.name}, {"seconds", state.seconds}};
}

}  // namespace

class Supervisor::Loop {
 public:
  explicit Loop(const Start& start)
      : start_(start),
        ladder_(start.settings.expect),
        log_(start.folder / kConsoleLog),
        events_(start.folder / kEventLog, kLargestEventLog),
        hook_(start.settings.hook),
        memory_(start.settings),
        stopping_(start.settings.disposable),
        pauses_(start.folder),
        keys_(start.keys),
        clients_(start.folder,
                 [this](Clients::Id id, const Json& request) { requests_.handle(id, request); }),
        requests_({clients_, log_, stopping_, [this]() -> RunningQemu& { return *qemu_; },
                   [this] { return status(); }}) {
    clients_.on_typed = [this](std::string_view text) { qemu_->console().send(text); };
    clients_.on_owner_gone = [this] { stopping_.end(*qemu_); };
    memory_.on_change = [this](const MemoryChange& change) {
      announce({{"event", "memory"}, {"bytes", change.bytes}, {"why", change.why}});
    };
    clients_.on_mover_gone = [this] {
      settle_abandoned_move(start_.folder, qemu_->monitor(), [this] { stopping_.end(*qemu_); });
    };
    for (const std::string& state : start_.reached) tell(ladder_.reach(state, Clock::now()));
    start_qemu();
    if (start.settings.disposable) owner_until_ = Clock::now() + kOwnerPatience;
  }

  Ending run() {
    while (true) {
      wait();
      for (unsigned ends = signals_.take(); ends > 0; --ends)
        stopping_.begun() ? stopping_.end(*qemu_) : stopping_.ask(*qemu_);
      qemu_->work();
      take_console();
      clients_.work();
      pass_time(Clock::now());
      const std::optional<int> code = qemu_->poll_exit();
      if (!code) continue;
      if (!restarts_ || stopping_.begun() || *code != 0) return end(ending(*code));
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
    pauses_.restart();
    start_.more.clear();
    told_restart();
    start_qemu();
  }

  void told_restart() {
    ladder_.restart(Clock::now());
    memory_.restart();
    keys_.restart();
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
    std::vector<pollfd> polls{{signals_.fd(), POLLIN, 0}};
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
    also(stopping_.deadline());
    also(memory_.deadline());
    also(hook_.deadline());
    also(pauses_.deadline());
    also(keys_.deadline());
    also(owner_until_);
    return next;
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
    stopping_.work(*qemu_, now);
    pauses_.work(qemu_->monitor(), now);
    if (owner_until_ && now >= *owner_until_) {
      owner_until_.reset();
      if (!clients_.had_owner()) stopping_.end(*qemu_);
    }
    if (keys_.work(takes_keys(), now)) announce({{"event", "keys"}, {"user", keys_.user()}});
  }

  /// What SSH needs can be handed over; its server has made its host keys by the time that it answers.
  bool takes_keys() const {
    const Settings& settings = start_.settings;
    return settings.agent && settings.ssh && qemu_->agent() && qemu_->agent()->is_open() &&
           (settings.ssh_port == 0 || includes(ladder_.reached(), "ssh"));
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
    } else if (auto told = pauses_.take(name, data)) {
      announce(std::move(*told));
    }
  }

  void tell(const std::vector<Reached>& fresh) {
    for (const Reached& state : fresh) {
      Json event{{"event", "state"}};
      event.update(as_json(state));
      announce(std::move(event));
    }
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
            {"stopping", stopping_.begun()},
            {"paused", pauses_.why()},
            {"ssh_port", start_.settings.ssh_port},
            {"ssh_user", keys_.user()},
            {"uptime", std::chrono::duration<double>(Clock::now() - began_).count()}};
  }

  Ending ending(int code) const {
    if (stopping_.begun()) return {"stopped", false};
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
  Signals signals_;
  Ladder ladder_;
  ConsoleLog log_;
  ConsoleLog events_;
  Hook hook_;
  MemoryWatch memory_;
  Stopping stopping_;
  Pauses pauses_;
  KeyHandover keys_;
  std::optional<SshProbe> ssh_;
  Clients clients_;
  Requests requests_;
  std::unique_ptr<RunningQemu> qemu_;
  bool restarts_ = false;  ///< QEMU ends because the guest is restarted
  bool guest_ended_ = false;
  /// When a disposable machine ends whose command was killed before it said that it is there for it.
  std::optional<Clock::time_point> owner_until_;
};

Supervisor::Supervisor(const Start& start) : loop_(std::make_unique<Loop>(start)) {}
Supervisor::~Supervisor() = default;

Ending Supervisor::run() {
  return loop_->run();
}

}  // namespace imgforge::machines
