#include "builder/machines/supervisor/supervise.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "builder/cli/vm/start_machine.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machine/accelerator.hpp"
#include "builder/machines/supervisor/duties/ladder.hpp"
#include "core/error_json.hpp"
#include "core/fd.hpp"

namespace imgforge::cli {
namespace {

struct Arguments {
  std::string name;
  bool report = false;
  std::string arriving;
  std::vector<std::string> reached;
};

/// Says one line to whoever started this process, who then goes on without it. False when nobody is there any
/// more.
bool report(std::string_view line) {
  bool heard = true;
  try {
    print(line);
  } catch (const core::Error&) {
    heard = false;
  }
  const core::Fd nothing = core::open_file("/dev/null", O_RDWR);
  ::dup2(nothing.get(), STDOUT_FILENO);
  return heard;
}

/// A machine that stays runs on without the command that started it; one that is to end with that command, or
/// to arrive by it, does not begin.
void report_start(const machines::Registry& registry, const Arguments& arguments) {
  if (report("{\"started\":true}\n")) return;
  const machines::Entry entry = registry.find(arguments.name);
  if (!arguments.arriving.empty() || (entry.settings && entry.settings->disposable))
    throw core::Error(core::Kind::kInterrupted, "the command that started it is gone");
}

core::Command keys_command(const machines::Registry& registry, const std::string& name) {
  core::Command command;
  command.program = this_program();
  command.args = {"--json", "vm", "keys", name};
  command.environment["XDG_STATE_HOME"] = registry.root().parent_path().parent_path().native();
  return command;
}

int supervise(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  bool started = false;
  try {
    const machine::AcceleratorVerdict accelerator =
        machine::find_accelerator(context.processes, context.options.cache_dir, context.cancel);
    const machines::Ending ending =
        machines::supervise({registry, arguments.name, accelerator, context.processes, context.cancel,
                             [&] {
                               started = true;
                               if (arguments.report) report_start(registry, arguments);
                             },
                             arguments.arriving, arguments.reached, keys_command(registry, arguments.name)});
    const machines::Entry entry = registry.find(arguments.name);
    if (entry.settings && entry.settings->disposable) {
      for (const std::string& warning : registry.remove(arguments.name, {})) context.progress.warn(warning);
    }
    if (ending.failed)
      throw core::Error(core::Kind::kBoot, fmt::format("{}: {}", arguments.name, ending.how));
    if (!arguments.report) print(fmt::format("{}: {}\n", arguments.name, ending.how));
    return 0;
  } catch (const core::Error& error) {
    if (arguments.report && !started) report(core::error_line(error));
    throw;
  }
}

}  // namespace

void declare_vm_supervise(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("supervise", "run a machine in the foreground, for service managers");
  declare_machine(set, arguments->name);
  set.flag("--report", arguments->report, "say in one line of JSON whether it started, and nothing more");
  set.option("--arriving", arguments->arriving, "for vm migrate: the move by which its state comes");
  set.option("--reached", arguments->reached, "for vm migrate: a state that it has reached; repeatable")
      .one_of(machines::state_names());
  set.set_footer(
      "SIGTERM shuts the machine down; a second one ends it.\n"
      "Example: imgforge vm supervise project");
  set.set_runner([arguments](Context& context) { return supervise(context, *arguments); });
}

}  // namespace imgforge::cli
