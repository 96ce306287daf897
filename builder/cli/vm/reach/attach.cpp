#include "builder/cli/vm/reach/console.hpp"
#include "builder/cli/vm/vm.hpp"

namespace imgforge::cli {
namespace {

struct Arguments {
  std::string name;
  bool read_only = false;
};

int attach(Context& context, const Arguments& arguments) {
  machines::Control control = control_of(arguments.name);
  const ConsoleEnd end =
      attach_console(context, control, arguments.read_only ? ConsoleUse::kRead : ConsoleUse::kReadAndWrite);
  context.progress.note(end == ConsoleEnd::kEnded ? arguments.name + " ended" : arguments.name + " runs on");
  return 0;
}

}  // namespace

void declare_vm_attach(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("attach", "use a machine's serial console; Ctrl-] leaves it");
  declare_machine(set, arguments->name);
  set.flag("--read-only", arguments->read_only, "only look");
  set.set_footer(
      "Any number may look; the first one that may write writes.\nExample: imgforge vm attach project");
  set.set_runner([arguments](Context& context) { return attach(context, *arguments); });
}

}  // namespace imgforge::cli
