#include "builder/cli/vm/stop.hpp"

#include <fmt/format.h>

#include "builder/cli/vm/autostart.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::chrono::seconds kMoment{5};

struct Arguments {
  std::string name;
  bool autostart = false;
  StopOptions options;
};

/// Lets QEMU write what it has for the disk, as far as somebody is there to do so.
void ask_to_end(const fs::path& folder, const char* how, const core::CancelToken& cancel) {
  if (auto control = machines::Control::connect(folder))
    control->ask({{"command", "stop"}, {"how", how}}, kMoment, cancel);
}

void end_now(const fs::path& folder, const core::CancelToken& cancel) {
  try {
    ask_to_end(folder, "kill", cancel);
    if (machines::wait_until_stopped(folder, kMoment, cancel)) return;
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted) throw;
  }
  machines::kill_machine(folder, cancel);
}

int stop(Context& context, const Arguments& arguments) {
  if (arguments.name.empty() != arguments.autostart)
    throw Error(Kind::kUsage, "either a machine or --autostart says what is stopped");
  if (arguments.autostart) return stop_all(context, machine_registry(), arguments.options);
  const bool ran = stop_machine(context, machine_registry(), arguments.name, arguments.options);
  print(context.options.json ? core::print_json({{"schema", 1}, {"name", arguments.name}, {"stopped", ran}})
                             : fmt::format("{} {}\n", arguments.name, ran ? "stopped" : "did not run"));
  return 0;
}

}  // namespace

void ask_to_stop(const fs::path& folder, const core::CancelToken& cancel) {
  try {
    ask_to_end(folder, "ask", cancel);
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted) throw;
  }
}

void stop_and_remove(const Context& context, const machines::Registry& registry, const std::string& name,
                     const StopOptions& options) {
  artifacts::ChangeOptions change;
  change.cancel = context.cancel;
  stop_machine(context, registry, name, options);
  for (const std::string& warning : registry.remove(name, change)) context.progress.warn(warning);
}

void declare_stop_options(OptionSet& set, StopOptions& options) {
  set.flag("--kill", options.kill, "end it at once, whatever state it is in");
  set.option("--patience", options.patience, "seconds that it has to shut down").show_default();
}

bool stop_machine(const Context& context, const machines::Registry& registry, const std::string& name,
                  const StopOptions& options) {
  const fs::path folder = registry.find(name).folder;
  if (!machines::is_running(folder)) return false;
  if (options.kill) {
    end_now(folder, context.cancel);
    return true;
  }
  ask_to_end(folder, "ask", context.cancel);
  if (machines::wait_until_stopped(folder, std::chrono::seconds(options.patience), context.cancel))
    return true;
  throw Error(Kind::kTimeout, fmt::format("{} did not shut down within {} s", name, options.patience))
      .quote(console_tail(folder, 10))
      .hint(fmt::format("imgforge vm stop {} --kill ends it", name));
}

void declare_vm_stop(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("stop", "shut a machine down, or end it");
  set.positional("machine", arguments->name, "name of the machine");
  set.flag("--autostart", arguments->autostart, "all that have autostart, in place of one");
  declare_stop_options(set, arguments->options);
  set.set_runner([arguments](Context& context) { return stop(context, *arguments); });
}

}  // namespace imgforge::cli
