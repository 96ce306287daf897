#include <fmt/format.h>

#include "builder/cli/store_arguments.hpp"
#include "builder/cli/vm/vm.hpp"
#include "core/bytes.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using core::Json;

int list(Context& context) {
  Json rows = Json::array();
  std::vector<std::vector<std::string>> table{{"NAME", "STATE", "STANDS ON", "CPUS", "MEMORY", "PORTS"}};
  for (const machines::Entry& entry : machine_registry().entries()) {
    const std::string state = state_of(entry);
    const auto status = state == "running" ? status_of(entry.folder, context.cancel) : std::nullopt;
    const std::string shown = state == "running" ? reached_state(status) : state;
    Json row{{"name", entry.name}, {"state", state}};
    if (state == "running") row["reached"] = shown;
    if (const auto obstacle = machines::obstacle_of(entry)) {
      row["problem"] = obstacle->message();
      if (!obstacle->hint().empty()) row["hint"] = obstacle->hint();
    }
    if (!entry.settings) {
      table.push_back({entry.name, shown, "?", "", "", ""});
    } else {
      std::string ports;
      for (const machines::Forward& forward : entry.settings->forwards)
        ports += (ports.empty() ? "" : " ") + forward.text();
      row["stands_on"] = entry.settings->origin.text();
      row["verified"] = entry.settings->origin.is_release();
      row["cpus"] = entry.settings->cpus;
      row["memory"] = entry.settings->memory;
      row["autostart"] = entry.settings->autostart;
      row["disposable"] = entry.settings->disposable;
      table.push_back({entry.name, shown, entry.settings->origin.text(), std::to_string(entry.settings->cpus),
                       core::Bytes{entry.settings->memory}.to_string(), ports});
    }
    rows.push_back(std::move(row));
  }
  if (context.options.json) {
    print(core::print_json({{"schema", 1}, {"machines", rows}}));
  } else if (table.size() == 1) {
    context.progress.note("there are no machines: imgforge vm run makes one");
  } else {
    print(text_table(table, context.out, {3, 4}));
  }
  return 0;
}

}  // namespace

void declare_vm_list(OptionSet& vm) {
  vm.command("list", "list the machines and how they are").set_runner(&list);
}

}  // namespace imgforge::cli
