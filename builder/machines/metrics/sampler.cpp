#include "builder/machines/metrics/sampler.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "builder/machines/agent/replies.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using std::chrono::milliseconds;

constexpr const char* kBalloon = "/machine/peripheral/balloon";
constexpr unsigned kGuestAskedEvery = 5;  // seconds: how often the balloon asks the guest once somebody looks
constexpr unsigned kAgentPause = 10;
constexpr milliseconds kPause{10000};  // for a machine whose process did not answer

double seconds_of(Sampler::Clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

/// A file of /proc; empty when its process is gone.
std::string process_file(int pid, const char* name) {
  try {
    return core::read_text_file(fmt::format("/proc/{}/{}", pid, name), 4096);
  } catch (const Error&) {
    return {};
  }
}

const Json& returned(const Json& answer) {
  static const Json nothing;
  const auto found = answer.find("return");
  return found == answer.end() ? nothing : *found;
}

}  // namespace

void Sampler::ask_monitor(const Json& request) {
  control_->channel().send(Json{{"command", "qmp"}, {"request", request}}.dump() + "\n");
}

void Sampler::ask() {
  asked_ = false;
  if (Clock::now() < not_before_) return;
  if (!control_) {
    try {
      control_ = Control::connect(folder_);
    } catch (const Error&) {  // its folder went
      return;
    }
    if (!control_) {
      before_.reset();
      return;
    }
  }
  asked_ = true;
  control_->channel().send("{\"command\": \"status\"}\n");
  ask_monitor({{"execute", "query-blockstats"}});
  ask_monitor({{"execute", "query-balloon"}});
  ask_monitor({{"execute", "qom-get"}, {"arguments", {{"path", kBalloon}, {"property", "guest-stats"}}}});
  if (agent_pause_ > 0) --agent_pause_;
  asked_agent_ = agent_pause_ == 0;
  if (asked_agent_) {
    control_->channel().send(
        Json{{"command", "agent"}, {"request", {{"execute", "guest-network-get-interfaces"}}}, {"seconds", 1}}
            .dump() +
        "\n");
  }
}

Json Sampler::answer(Clock::time_point deadline, const core::CancelToken& cancel) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
  auto line = control_->next(std::max(left, milliseconds(0)), cancel);
  if (!line || !line->is_object()) throw Error(core::Kind::kTimeout, "the machine's process does not answer");
  return *std::move(line);
}

std::optional<Look> Sampler::take(Clock::time_point deadline, const core::CancelToken& cancel) {
  if (!asked_) return std::nullopt;
  try {
    return look(deadline, cancel);
  } catch (const Error& error) {
    if (error.kind() == core::Kind::kInterrupted) throw;
    if (error.kind() == core::Kind::kTimeout) not_before_ = Clock::now() + kPause;
  } catch (const Json::exception&) {
    not_before_ = Clock::now() + kPause;
  }
  control_.reset();
  return std::nullopt;
}

/// What the guest's agent says, which may be nothing, nonsense, or too late: then it is not asked for a
/// while.
std::optional<NetworkBytes> Sampler::network(Clock::time_point deadline, const core::CancelToken& cancel) {
  try {
    const Json reply = answer(deadline, cancel);
    if (reply.contains("return")) return parse_network_bytes(reply.at("return"));
  } catch (const Error& error) {
    if (error.kind() == core::Kind::kInterrupted) throw;
    if (error.kind() == core::Kind::kTimeout) control_.reset();  // whose next answer would be this one
  }
  agent_pause_ = kAgentPause;
  return std::nullopt;
}

std::optional<Look> Sampler::look(Clock::time_point deadline, const core::CancelToken& cancel) {
  Look found;
  Sample now;
  found.status = returned(answer(deadline, cancel));
  now.at = seconds_of(Clock::now());
  const int pid = found.status.at("qemu_pid").get<int>();
  now.processor = parse_processor(process_file(pid, "stat"), ::sysconf(_SC_CLK_TCK));
  now.resident = parse_resident(process_file(pid, "statm"), ::sysconf(_SC_PAGESIZE));
  now.disk = parse_disks(returned(answer(deadline, cancel)));
  now.given = parse_given(returned(answer(deadline, cancel)));
  bool waits = false;
  now.free = parse_guest_free(returned(answer(deadline, cancel)), waits);
  const bool agent = found.status.value("agent", false);
  if (asked_agent_) now.network = network(deadline, cancel);
  if (!agent) agent_pause_ = 0;      // the machine's process said so at once
  if (waits && agent && control_) {  // a system runs in it: from now on it is asked
    ask_monitor(
        {{"execute", "qom-set"},
         {"arguments",
          {{"path", kBalloon}, {"property", "guest-stats-polling-interval"}, {"value", kGuestAskedEvery}}}});
    answer(deadline, cancel);
  }
  found.use = use_between(before_.value_or(now), now);
  before_ = now;
  return found;
}

}  // namespace imgforge::machines
