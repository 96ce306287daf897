// imgforge vm down: the machines of a file are stopped.
#include <fmt/format.h>

#include "builder/cli/vm/group/group_members.hpp"
#include "builder/cli/vm/stop.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using core::Json;
using machines::Group;
using machines::Wanted;

struct Arguments {
  std::filesystem::path file = kUsualGroupFile;
  StopOptions stop;
  bool remove = false;
};

int down(Context& context, const Arguments& arguments) {
  const Group group = machines::load_group(arguments.file);
  const machines::Registry registry = machine_registry();
  std::vector<std::string> names = strangers(registry, group);
  // Those that wait for others go before them.
  for (auto wanted = group.machines.rbegin(); wanted != group.machines.rend(); ++wanted) {
    if (member_there(registry, group, wanted->name)) names.push_back(wanted->name);
  }
  Json rows = Json::array();
  std::string text;
  for (const std::string& name : names) {
    context.cancel.check();
    const bool ran = machines::is_running(registry.folder(name));
    if (arguments.remove) {
      stop_and_remove(context, registry, name, arguments.stop);
    } else {
      stop_machine(context, registry, name, arguments.stop);
    }
    const char* what = arguments.remove ? "removed" : ran ? "stopped" : "did not run";
    rows.push_back({{"name", name}, {"stopped", ran}, {"removed", arguments.remove}});
    text += fmt::format("{} {}\n", name, what);
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"group", group.name}, {"machines", rows}})
        : text.empty()       ? "no machine of the group is there\n"
                             : text);
  return 0;
}

}  // namespace

void declare_vm_down(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("down", "stop the machines of a file");
  declare_group_file(set, arguments->file);
  declare_stop_options(set, arguments->stop);
  set.flag("--remove", arguments->remove, "and remove them with all that they wrote");
  set.set_runner([arguments](Context& context) { return down(context, *arguments); });
}

}  // namespace imgforge::cli
