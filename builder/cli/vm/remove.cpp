#include <fmt/format.h>

#include "builder/cli/vm/stop.hpp"
#include "builder/cli/vm/vm.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::cli {
namespace {

struct Arguments {
  std::vector<std::string> names;
  bool kill = false;
};

int remove(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  artifacts::ChangeOptions change;
  change.cancel = context.cancel;
  core::TempDir::reclaim(registry.root());  // of those who were killed while they made one
  for (const std::string& name : arguments.names) {
    if (arguments.kill) stop_machine(context, registry, name, {true, 0});
    for (const std::string& warning : registry.remove(name, change)) context.progress.warn(warning);
    if (!context.options.json) print(fmt::format("removed {}\n", name));
  }
  if (context.options.json) print(core::print_json({{"schema", 1}, {"removed", arguments.names}}));
  return 0;
}

}  // namespace

void declare_vm_remove(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("remove", "remove machines and all that they wrote, also damaged ones");
  set.positional("machine", arguments->names, "names of machines").required();
  set.flag("--kill", arguments->kill, "end those that run");
  set.set_runner([arguments](Context& context) { return remove(context, *arguments); });
}

}  // namespace imgforge::cli
