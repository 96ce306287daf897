#include <fmt/format.h>

#include "builder/cli/vm/autostart.hpp"
#include "builder/cli/vm/start_machine.hpp"
#include "builder/cli/vm/stop.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "builder/machines/registry/move_mark.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

struct Arguments {
  std::string name;
  bool force = false;
  bool autostart = false;
  StartOptions start;
  StopOptions stop;
};

/// The machine may run here, whatever became of the other one.
void keep_here(const Context& context, const std::filesystem::path& folder) {
  machines::MachineLock lock(folder);
  lock.command(std::chrono::milliseconds(0), context.cancel);
  machines::remove_mark(folder);
}

int start(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  if (arguments.name.empty() != arguments.autostart)
    throw core::Error(core::Kind::kUsage, "either a machine or --autostart says what is started");
  if (arguments.autostart) return start_all(context, registry, arguments.start);
  if (arguments.force) keep_here(context, registry.find(arguments.name).folder);
  print_start(context, start_and_follow(context, registry, registry.load(arguments.name), arguments.start));
  return 0;
}

int restart(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  const machines::Settings settings = registry.load(arguments.name);
  stop_machine(context, registry, arguments.name, arguments.stop);
  print_start(context, start_and_follow(context, registry, settings, arguments.start));
  return 0;
}

}  // namespace

void declare_vm_start(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& starting = vm.command("start", "start a machine that stopped");
  starting.positional("machine", arguments->name, "name of the machine");
  starting.flag("--autostart", arguments->autostart,
                "all that have autostart (vm autostart) and do not run, in place of one");
  starting.flag("--force", arguments->force,
                "also one that moved, or arrives: whoever says so knows that the other one does not run");
  declare_start_options(starting, arguments->start);
  starting.set_runner([arguments](Context& context) { return start(context, *arguments); });
  OptionSet& restarting = vm.command("restart", "stop a machine and start it again");
  declare_machine(restarting, arguments->name);
  declare_stop_options(restarting, arguments->stop);
  declare_start_options(restarting, arguments->start);
  restarting.set_runner([arguments](Context& context) { return restart(context, *arguments); });
}

}  // namespace imgforge::cli
