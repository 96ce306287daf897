#include <fmt/format.h>

#include <algorithm>

#include "builder/cli/vm/vm.hpp"
#include "builder/machines/agent/hardware.hpp"
#include "builder/machines/operations/hotplug.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Kind;

struct Arguments {
  std::string name;
  std::string memory;
  unsigned cpus = 0;
};

/// Lets the guest use what QEMU gave it, where there is somebody to ask.
void use_hardware(const Context& context, machines::Control& control, const machines::Settings& settings,
                  unsigned count) {
  if (!settings.may_have_agent()) return;
  try {
    machines::Agent agent(control, context.cancel);
    const unsigned used = machines::use_all_hardware(agent);
    if (used < count) context.progress.warn(fmt::format("{} uses only {} of them", settings.name, used));
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted) throw;
    context.progress.warn("it may have to be told to use them: " + error.message());
  }
}

int resize(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  machines::Settings settings = registry.load(arguments.name);
  const std::filesystem::path folder = registry.folder(arguments.name);
  if (arguments.memory.empty() && arguments.cpus == 0)
    throw Error(Kind::kUsage, "--memory or --cpus says what it shall have");
  machines::MachineLock lock(folder);
  lock.command(std::chrono::milliseconds(0), context.cancel);
  if (auto control = machines::Control::connect(folder)) {
    if (!arguments.memory.empty())
      machines::set_memory(*control, settings, core::Bytes::parse(arguments.memory), context.cancel);
    if (arguments.cpus != 0) {
      machines::set_processors(*control, settings, arguments.cpus, context.cancel);
    }
    use_hardware(context, *control, settings, arguments.cpus);
  } else {
    if (machines::is_running(folder))
      throw Error(Kind::kLocked, arguments.name + " is being started or stopped");
    if (!arguments.memory.empty()) settings.memory = core::Bytes::parse(arguments.memory).value;
    if (arguments.cpus != 0) settings.cpus = arguments.cpus;
    if (settings.max_memory != 0) settings.max_memory = std::max(settings.max_memory, settings.memory);
    if (settings.max_cpus != 0) settings.max_cpus = std::max(settings.max_cpus, settings.cpus);
    registry.save(settings);
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"name", arguments.name}})
                             : arguments.name + " resized\n");
  return 0;
}

}  // namespace

void declare_vm_resize(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("resize", "change a machine's memory or processors");
  declare_machine(set, arguments->name);
  set.option("--memory", arguments->memory,
             "such as 512M; while it runs, up to its --max-memory and until it stops");
  set.option("--cpus", arguments->cpus, "processors; while it runs, up to its --max-cpus").between(1, 255);
  set.set_footer("Example: imgforge vm resize project --memory 256M");
  set.set_runner([arguments](Context& context) { return resize(context, *arguments); });
}

}  // namespace imgforge::cli
