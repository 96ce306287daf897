#include <fcntl.h>
#include <unistd.h>

#include "builder/cli/vm/reach/console.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/supervisor/talk/console_log.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

struct Arguments {
  std::string name;
  bool follow = false;
  bool events = false;
  unsigned lines = 0;
};

/// What is added to the console, until the machine ends.
void follow_console(Context& context, machines::Control control) {
  control.ask({{"command", "attach"}}, std::chrono::seconds(20), context.cancel);
  machines::Channel& console = control.channel();
  while (!console.is_closed()) {
    print(core::printable(console.take_all()));
    context.cancel.check();
    ::usleep(50000);
    console.work();
  }
  print(core::printable(console.take_all()));
}

int logs(Context& context, const Arguments& arguments) {
  const std::filesystem::path folder = machine_registry().find(arguments.name).folder;
  if (arguments.events) {
    const std::filesystem::path file = folder / machines::kEventLog;
    if (std::filesystem::exists(file)) print(core::read_text_file(file, 2 * machines::kLargestEventLog));
    return 0;
  }
  if (arguments.follow) {
    if (auto control = machines::Control::connect(folder)) {
      follow_console(context, *std::move(control));
      return 0;
    }
  }
  if (arguments.lines > 0) {
    print(console_tail(folder, arguments.lines) + "\n");
    return 0;
  }
  print(core::printable(
      core::read_text_file(folder / machines::kConsoleLog, 2 * machines::kLargestConsoleLog)));
  return 0;
}

}  // namespace

void declare_vm_logs(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("logs", "print what a machine's console said, also of a stopped one");
  declare_machine(set, arguments->name);
  set.flag("--follow", arguments->follow, "the last 64 KiB, and what follows until the machine ends");
  set.flag("--events", arguments->events,
           "what happened to it instead: states, pauses, memory, its end; a JSON object a line");
  set.option("--lines", arguments->lines, "only so many of the last ones");
  set.set_runner([arguments](Context& context) { return logs(context, *arguments); });
}

}  // namespace imgforge::cli
