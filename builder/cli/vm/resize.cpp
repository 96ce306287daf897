#include <fmt/format.h>

#include "builder/cli/vm/vm.hpp"
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

/// A running machine has what it was started with at most: the balloon takes of that and gives it back.
void set_balloon(const Context& context, machines::Control& control, const machines::Settings& settings,
                 core::Bytes memory) {
  if (memory.value > settings.memory) {
    throw Error(Kind::kUsage, fmt::format("{} runs and was started with {}", settings.name,
                                          core::Bytes{settings.memory}.to_string()))
        .hint("stop it to give it more");
  }
  control.ask(
      {{"command", "qmp"}, {"request", {{"execute", "balloon"}, {"arguments", {{"value", memory.value}}}}}},
      std::chrono::seconds(20), context.cancel);
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
    if (arguments.cpus != 0)
      throw Error(Kind::kUsage, "the processors of a running machine stay as they are").hint("stop it first");
    set_balloon(context, *control, settings, core::Bytes::parse(arguments.memory));
  } else {
    if (machines::is_running(folder))
      throw Error(Kind::kLocked, arguments.name + " is being started or stopped");
    if (!arguments.memory.empty()) settings.memory = core::Bytes::parse(arguments.memory).value;
    if (arguments.cpus != 0) settings.cpus = arguments.cpus;
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
             "such as 512M; while it runs, its balloon gives back to this host what is above that");
  set.option("--cpus", arguments->cpus, "processors, of a stopped machine").between(1, 255);
  set.set_footer("Example: imgforge vm resize project --memory 256M");
  set.set_runner([arguments](Context& context) { return resize(context, *arguments); });
}

}  // namespace imgforge::cli
