#include <fmt/format.h>

#include "builder/cli/vm/vm.hpp"
#include "builder/machines/agent/agent.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

int address(Context& context, const std::string& name) {
  machines::Control control = control_of(name);
  const std::vector<machines::GuestAddress> found = machines::Agent(control, context.cancel).addresses();
  core::Json rows = core::Json::array();
  std::string text;
  for (const machines::GuestAddress& row : found) {
    const std::string interface = core::escaped(row.interface, 64);
    rows.push_back({{"interface", interface},
                    {"address", row.address},
                    {"prefix", row.prefix},
                    {"family", row.ipv6 ? "ipv6" : "ipv4"}});
    text += fmt::format("{}/{}  {}\n", row.address, row.prefix, interface);
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"addresses", rows}}) : text);
  return 0;
}

}  // namespace

void declare_vm_address(OptionSet& vm) {
  auto name = std::make_shared<std::string>();
  OptionSet& set = vm.command("address", "print the addresses that a machine has, as its agent says");
  declare_machine(set, *name);
  set.set_footer("With the network \"user\" nothing of this host reaches them but by --forward and vm ssh.");
  set.set_runner([name](Context& context) { return address(context, *name); });
}

}  // namespace imgforge::cli
