#include "builder/machines/supervisor/requests.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;

constexpr std::chrono::milliseconds kMonitorPatience{20000};
constexpr unsigned kMostAgentSeconds = 24 * 3600;

}  // namespace

void Requests::handle(Clients::Id id, const Json& request) {
  Clients& clients = machine_.clients;
  const std::string command = request.at("command").get<std::string>();
  if (command == "status") return clients.answer(id, machine_.status());
  if (command == "watch") {
    clients.answer(id, machine_.status());
    return clients.watch(id, request.value("owner", false) ? Clients::Owner::kYes : Clients::Owner::kNo);
  }
  if (command == "agent") return relay_to_agent(id, request);
  if (command == "qmp") return relay(id, machine_.qemu().monitor(), request.at("request"), kMonitorPatience);
  if (command == "attach") {
    return clients.attach(id, request.value("write", false) ? Clients::Wants::kWrite : Clients::Wants::kRead,
                          machine_.log.recent());
  }
  if (command == "move") {
    clients.answer(id, Json::object());
    return clients.guard(id, request.value("ends", false) ? Clients::Mover::kNo : Clients::Mover::kYes);
  }
  if (command == "stop") {
    clients.answer(id, Json::object());
    const bool kill = request.value("how", "ask") == "kill";
    return kill ? machine_.stopping.end(machine_.qemu()) : machine_.stopping.ask(machine_.qemu());
  }
  throw Error(Kind::kUsage, "there is no such command");
}

void Requests::relay_to_agent(Clients::Id id, const Json& request) {
  Dialogue* agent = machine_.qemu().agent();
  if (!agent) throw Error(Kind::kUsage, "the machine has no agent, says the manifest of its release");
  const unsigned seconds = std::clamp(request.value("seconds", 10U), 1U, kMostAgentSeconds);
  relay(id, *agent, request.at("request"), std::chrono::seconds(seconds));
}

void Requests::relay(Clients::Id id, Dialogue& partner, const Json& question,
                     std::chrono::milliseconds patience) {
  partner.ask(question, patience, [&clients = machine_.clients, id](const Answer& answer) {
    if (!answer.failure.empty())
      return clients.refuse(id, answer.timed_out ? Kind::kTimeout : Kind::kBoot, answer.failure);
    clients.answer_line(id, answer.line);
  });
}

}  // namespace imgforge::machines
