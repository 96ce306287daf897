// The other side of `vm migrate`: it is run there by the command that moves.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <iostream>

#include "builder/cli/vm/start_machine.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/cli/vm_move/place_machine.hpp"
#include "builder/machines/move/arrival.hpp"
#include "builder/machines/move/live_facts.hpp"
#include "builder/machines/move/peer.hpp"
#include "builder/machines/registry/move_mark.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/local_socket.hpp"
#include "core/record.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::size_t kLongestOffer = 1 << 20;

struct Arguments {
  std::string action;
  std::string name;
  std::string id;
};

void answer(const Json& value) {
  print(value.dump() + "\n");
}

/// The next line of standard input; empty at its end.
std::string next_line() {
  std::string line;
  char c = 0;
  while (line.size() < kLongestOffer) {
    const ssize_t n = ::read(STDIN_FILENO, &c, 1);
    if (n < 0 && errno == EINTR) {
      core::CancelToken::check_signals();
      continue;
    }
    if (n <= 0) return {};
    if (c == '\n') return line;
    line += c;
  }
  throw Error(Kind::kUnsafe, "a line without end");
}

/// What would keep the machine from coming here, all of it.
void offer(const Context& context, const machines::Registry& registry, const Arguments& arguments) {
  const Json asked = core::parse_json(next_line(), "the offer", {kLongestOffer, 16});
  Placement placement;
  placement.head = machines::parse_head(asked.at("head").dump());
  placement.name = arguments.name;
  machines::discard_arrival(registry, arguments.name, arguments.id, context.cancel);
  std::vector<std::string> problems;
  try {
    check_placement(context, registry, placement);
    machines::check_room(machines::size_of(placement.head) + asked.value("disk_bytes", std::uint64_t{0}),
                         registry.folder(arguments.name).parent_path());
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted) throw;
    problems.push_back(error.message() + (error.hint().empty() ? "" : " (" + error.hint() + ")"));
  }
  if (asked.contains("live")) {
    const auto wanted = core::read_record<machines::LiveFacts>(asked.at("live"), "the offer");
    const machines::LiveFacts own =
        machines::live_facts(context.processes, context.options.cache_dir, context.cancel);
    for (std::string& problem : machines::differences(wanted, own)) problems.push_back(std::move(problem));
  }
  answer({{"problems", problems}});
}

/// Waits for the machine's state, and for word that it may run.
void open(const Context& context, const machines::Registry& registry, const Arguments& arguments) {
  const Json asked = core::parse_json(next_line(), "what is to arrive", {kLongestOffer, 16});
  const auto devices = core::read_record<machines::Devices>(asked.at("devices"), "what is to arrive");
  std::vector<std::string> words{"--arriving", arguments.id};
  for (const Json& state : asked.at("reached"))
    words.insert(words.end(), {"--reached", state.get<std::string>()});
  start_machine(context, registry, arguments.name, words);
  const fs::path folder = registry.folder(arguments.name);
  machines::Control guard = machines::Control::require(folder);
  guard.ask({{"command", "move"}}, std::chrono::seconds(20), context.cancel);
  machines::Control control = machines::Control::require(folder);
  machines::open_arrival(control, devices, machines::ArrivingDisk::kComes, context.cancel);
  answer({{"open", true}});
  if (next_line() != "arrived") return;  // the guard decides
  machines::wait_for_arrival(control, context.cancel);
  answer({{"arrived", true}});
  if (next_line() != "release") return;
  machines::release_arrival(folder, arguments.id, context.cancel);
  guard.ask({{"command", "move"}, {"ends", true}}, std::chrono::seconds(20), context.cancel);
  answer({{"released", true}});
}

int receive(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  machines::check_machine_name(arguments.name);
  if (!machines::is_move_id(arguments.id)) throw Error(Kind::kUsage, "--move takes 32 hexadecimal digits");
  if (arguments.action == "offer") {
    offer(context, registry, arguments);
  } else if (arguments.action == "open") {
    open(context, registry, arguments);
  } else if (arguments.action == "release") {
    machines::release_arrival(registry.find(arguments.name).folder, arguments.id, context.cancel);
    answer({{"released", true}});
  } else if (arguments.action == "discard") {
    machines::discard_arrival(registry, arguments.name, arguments.id, context.cancel);
    answer({{"discarded", true}});
  } else {
    const char* socket = arguments.action == "disk" ? machines::kDiskSocket : machines::kMemorySocket;
    auto connection = core::connect_local(registry.find(arguments.name).folder, socket);
    if (!connection) throw Error(Kind::kUsage, "the machine waits for nothing");
    machines::relay_streams(*std::move(connection));
  }
  return 0;
}

}  // namespace

void declare_vm_receive(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("receive", "run by vm migrate on the host to which a machine moves");
  set.positional("action", arguments->action, "offer, open, disk, memory, release or discard")
      .one_of({"offer", "open", "disk", "memory", "release", "discard"})
      .required();
  declare_machine(set, arguments->name);
  set.option("--move", arguments->id, "id of the move").required();
  set.set_runner([arguments](Context& context) { return receive(context, *arguments); });
}

}  // namespace imgforge::cli
