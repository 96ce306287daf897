// imgforge vm ps: the machines of a file, and how they are.
#include <fmt/format.h>

#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/vm/group/group_members.hpp"
#include "builder/cli/vm/vm.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using core::Json;
using machines::Group;
using machines::Wanted;

struct Arguments {
  std::filesystem::path file = kUsualGroupFile;
};

int ps(Context& context, const Arguments& arguments) {
  const Group group = machines::load_group(arguments.file);
  const machines::Registry registry = machine_registry();
  Json rows = Json::array();
  std::vector<std::vector<std::string>> table{{"NAME", "STATE", "STANDS ON", "DIFFERS"}};
  const auto add = [&](const std::string& name, const std::string& state, const std::string& origin,
                       const std::string& differs) {
    rows.push_back({{"name", name}, {"state", state}, {"stands_on", origin}, {"differs", differs}});
    table.push_back({name, state, origin, differs});
  };
  const auto origin_of = [](const machines::Entry& entry) {
    return entry.settings ? entry.settings->origin.text() : "?";
  };
  for (const Wanted& wanted : group.machines) {
    const auto membership = member_there(registry, group, wanted.name);
    if (!membership) {
      add(wanted.name, "missing", wanted.source, "");
      continue;
    }
    const machines::Entry entry = registry.find(wanted.name);
    add(wanted.name, state_of(entry), origin_of(entry), differences(membership->wanted, wanted.record()));
  }
  for (const std::string& name : strangers(registry, group)) {
    const machines::Entry entry = registry.find(name);
    add(name, state_of(entry), origin_of(entry), "not in the file");
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"group", group.name}, {"machines", rows}})
                             : text_table(table, context.out, {}));
  return 0;
}

}  // namespace

void declare_vm_ps(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("ps", "list the machines of a file, and in what they differ from it");
  declare_group_file(set, arguments->file);
  set.set_runner([arguments](Context& context) { return ps(context, *arguments); });
}

}  // namespace imgforge::cli
