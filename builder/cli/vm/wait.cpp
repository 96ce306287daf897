#include <fmt/format.h>

#include "builder/cli/vm/start_machine.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "builder/machines/supervisor/duties/ladder.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

constexpr const char* kStopped = "stopped";

struct Arguments {
  std::string name;
  std::string wanted = "ready";
  unsigned timeout = 300;
};

int wait(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  const auto patience = std::chrono::seconds(arguments.timeout);
  if (arguments.wanted == kStopped) {
    const std::filesystem::path folder = registry.find(arguments.name).folder;
    if (!machines::wait_until_stopped(folder, patience, context.cancel))
      throw core::Error(core::Kind::kTimeout, fmt::format("{} still runs", arguments.name));
    print(context.options.json
              ? core::print_json({{"schema", 1}, {"name", arguments.name}, {"state", kStopped}})
              : arguments.name + " stopped\n");
    return 0;
  }
  check_can_reach(registry.load(arguments.name), arguments.wanted);
  machines::Control control = control_of(arguments.name);
  core::Json status = control.ask({{"command", "watch"}}, std::chrono::seconds(20), context.cancel);
  print_start(context, follow(context, control, std::move(status), registry.folder(arguments.name),
                              arguments.wanted, patience));
  return 0;
}

}  // namespace

void declare_vm_wait(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("wait", "wait until a machine has come so far");
  declare_machine(set, arguments->name);
  std::vector<std::string> states = machines::state_names();
  states.push_back(kStopped);
  set.option("--for", arguments->wanted, "process, firmware, kernel, init, agent, ssh, ready or stopped")
      .one_of(states)
      .show_default();
  set.option("--timeout", arguments->timeout, "seconds").show_default();
  set.set_runner([arguments](Context& context) { return wait(context, *arguments); });
}

}  // namespace imgforge::cli
