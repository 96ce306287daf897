#include <fmt/format.h>
#include <unistd.h>

#include "builder/cli/vm/start_machine.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/cli/vm_move/leave.hpp"
#include "builder/cli/vm_move/place_machine.hpp"
#include "builder/machines/move/arrival.hpp"
#include "builder/machines/move/live_move.hpp"
#include "builder/machines/move/monitor.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/random.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::chrono::seconds kMoment{20};

struct Arguments {
  std::string name;
  std::string fresh;
};

/// A second machine from the state of one that stands still.
class Fork {
 public:
  Fork(const Context& context, const machines::Registry& registry, const Arguments& arguments)
      : context_(context),
        registry_(registry),
        leaving_(context, registry, arguments.name),
        id_(core::random_hex(16)) {
    placement_.name = arguments.fresh;
    placement_.move_id = id_;
    placement_.head = leaving_.describe(machines::DiskContent::kLeftOut);
    if (!leaving_.settings().shares.empty()) {
      throw Error(Kind::kUsage, arguments.name + " shares a folder, and QEMU copies no machine that does");
    }
    if (!leaving_.settings().links.empty()) {
      throw Error(Kind::kUsage,
                  arguments.name + " is in a network of machines, where both would have one address");
    }
    machines::check_machine_name(arguments.fresh);
    check_placement(context, registry, placement_);
  }

  void run() {
    machines::LiveMove source(leaving_.folder(), context_.cancel);
    const Json before = ask(source, "query-status");
    if (!before.value("running", false)) throw Error(Kind::kUsage, leaving_.settings().name + " is paused");
    const Json states = source.control().ask({{"command", "status"}}, kMoment, context_.cancel).at("states");
    const machines::Devices devices = machines::plugged_devices(source.control(), context_.cancel);
    ask(source, "stop");
    try {
      copy_disk();
      receive(source, states, devices);
    } catch (const Error&) {
      machines::discard_arrival(registry_, placement_.name, id_, {});
      throw;
    }
    ask(source, "cont");
    source.finished();
  }

 private:
  Json ask(machines::LiveMove& source, const char* command) const {
    return machines::ask_qemu(source.control(), command, Json::object(), context_.cancel);
  }

  /// What QEMU had in memory for the files it wrote when it stopped the machine.
  void copy_disk() {
    const core::TempDir staging(fs::canonical(registry_.root()), ".arriving");
    placement_.staged = staging.path();
    for (const char* file : {machines::kDiskFile, machines::kVariablesFile}) {
      if (fs::exists(leaving_.folder() / file))
        core::clone_file(leaving_.folder() / file, staging / file, 0600);
    }
    place_machine(context_, registry_, placement_);
  }

  void receive(machines::LiveMove& source, const Json& states, const machines::Devices& devices) {
    std::vector<std::string> words{"--arriving", id_};
    for (const Json& state : states)
      words.insert(words.end(), {"--reached", state.at("name").get<std::string>()});
    start_machine(context_, registry_, placement_.name, words);
    const fs::path folder = registry_.folder(placement_.name);
    machines::Control guard = machines::Control::require(folder);
    guard.ask({{"command", "move"}}, kMoment, context_.cancel);
    machines::Control control = machines::Control::require(folder);
    machines::open_arrival(control, devices, machines::ArrivingDisk::kIsThere, context_.cancel);
    // Both folders are below one, where their QEMUs were started.
    source.send_standing(fmt::format("../{}/{}", placement_.name, machines::kMemorySocket));
    machines::wait_for_arrival(control, context_.cancel);
    machines::release_arrival(folder, id_, context_.cancel);
    guard.ask({{"command", "move"}, {"ends", true}}, kMoment, context_.cancel);
  }

  const Context& context_;
  const machines::Registry& registry_;
  Leaving leaving_;
  std::string id_;
  Placement placement_;
};

int fork_machine(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  core::Activity activity = context.progress.begin("vm/" + arguments.fresh);
  Fork(context, registry, arguments).run();
  activity.done("goes on from where " + arguments.name + " was");
  context.progress.note(fmt::format(
      "inside, {} is {} still: the same host name, keys and addresses until somebody changes them",
      arguments.fresh, arguments.name));
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"name", arguments.fresh}, {"from", arguments.name}})
            : fmt::format("{} runs, from the state of {}\n", arguments.fresh, arguments.name));
  return 0;
}

}  // namespace

void declare_vm_fork(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("fork", "make a second machine from the state of a running one");
  declare_machine(set, arguments->name);
  set.positional("new", arguments->fresh, "name of the second one").required();
  set.set_footer(
      "The machine stands still while its disk and memory are copied; then both go on from there. Ports of\n"
      "the second one are others. Example: imgforge vm fork project trial");
  set.set_runner([arguments](Context& context) { return fork_machine(context, *arguments); });
}

}  // namespace imgforge::cli
