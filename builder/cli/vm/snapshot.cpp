#include <fmt/format.h>

#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/operations/snapshots.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

struct Arguments {
  std::string machine;
  std::string name;
};

machines::SnapshotRequest request_of(const Context& context, const machines::Registry& registry,
                                     const Arguments& arguments) {
  return {registry, arguments.machine, arguments.name, context.processes, context.cancel};
}

int list(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  core::Json rows = core::Json::array();
  std::vector<std::vector<std::string>> table{{"SNAPSHOT", "CREATED", "MEMORY"}};
  for (const machines::Snapshot& one : machines::list_snapshots(request_of(context, registry, arguments))) {
    const std::string created = core::iso_time(core::UnixTime(std::chrono::seconds(one.created)));
    rows.push_back({{"name", core::escaped(one.name)}, {"created", created}, {"memory", one.memory}});
    table.push_back({one.name, created, one.memory == 0 ? "-" : core::Bytes{one.memory}.human()});
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"snapshots", rows}})
                             : text_table(table, context.out, {2}));
  return 0;
}

int change(Context& context, const Arguments& arguments, void (*what)(const machines::SnapshotRequest&),
           const char* done) {
  const machines::Registry registry = machine_registry();
  what(request_of(context, registry, arguments));
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"machine", arguments.machine}, {"snapshot", arguments.name}})
            : fmt::format("{} {} of {}\n", done, arguments.name, arguments.machine));
  return 0;
}

}  // namespace

void declare_vm_snapshot(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("snapshot", "keep a machine's state under a name, and go back to it");
  set.set_commands(OptionSet::Commands::kRequired);
  OptionSet& listing = set.command("list", "list the snapshots of a machine");
  declare_machine(listing, arguments->machine);
  listing.set_runner([arguments](Context& context) { return list(context, *arguments); });
  const auto declare = [&](const char* name, const char* summary,
                           void (*what)(const machines::SnapshotRequest&), const char* done) {
    OptionSet& command = set.command(name, summary);
    declare_machine(command, arguments->machine);
    command.positional("snapshot", arguments->name, "name of the snapshot").required();
    command.set_runner([=](Context& context) { return change(context, *arguments, what, done); });
  };
  declare("create", "take one: of a running machine its memory too", &machines::create_snapshot, "took");
  declare("restore", "go back to one", &machines::restore_snapshot, "went back to");
  declare("remove", "remove one", &machines::remove_snapshot, "removed");
  set.set_footer("Example: imgforge vm snapshot create project before-upgrade");
}

}  // namespace imgforge::cli
