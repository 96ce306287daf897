#include <fmt/format.h>
#include <unistd.h>

#include <optional>

#include "builder/cli/vm/make/machine_options.hpp"
#include "builder/cli/vm/reach/console.hpp"
#include "builder/cli/vm/reach/exec.hpp"
#include "builder/cli/vm/start_machine.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{20};
constexpr unsigned kLongestCommand = 24 * 3600;

struct Arguments {
  MachineOptions machine;
  StartOptions start;
  std::vector<std::string> command;
};

/// Removes a machine that did not even start: nothing is in it.
void start_or_remove(const Context& context, const machines::Registry& registry,
                     const machines::Settings& settings) {
  try {
    start_machine(context, registry, settings.name);
  } catch (const Error&) {
    try {
      machines::kill_machine(registry.folder(settings.name), {});
      registry.remove(settings.name, {});
    } catch (const Error& error) {
      context.progress.warn(error.message());
    }
    throw;
  }
}

void wait_until_gone(const Context& context, const fs::path& folder) {
  std::error_code error;
  for (int i = 0; i < 1000 && fs::exists(folder, error); ++i) {
    context.cancel.check();
    ::usleep(10000);
  }
}

/// The machine ends with `owner`, this command's connection, whatever happens here.
int run_disposable(const Context& context, const machines::Settings& settings, const fs::path& folder,
                   const Arguments& arguments) {
  machines::Control owner = machines::Control::require(folder);
  Json status = owner.ask({{"command", "watch"}, {"owner", true}}, kPatience, context.cancel);
  int code = 0;
  if (arguments.command.empty()) {
    context.progress.note(settings.name + " is disposable: it is gone once you leave its console");
    machines::Control console = machines::Control::require(folder);
    attach_console(context, console, ConsoleUse::kReadAndWrite);
  } else {
    follow(context, owner, std::move(status), folder, "agent", std::chrono::seconds(arguments.start.timeout));
    machines::Control control = machines::Control::require(folder);
    code = exec_in_machine(context, control, arguments.command, {}, std::chrono::seconds(kLongestCommand));
  }
  owner.channel().close();
  wait_until_gone(context, folder);
  return code;
}

int run_machine(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  artifacts::ChangeOptions change;
  change.cancel = context.cancel;
  registry.reclaim(change);
  const machines::Settings settings = make_machine(context, registry, arguments.machine);
  const fs::path folder = registry.folder(settings.name);
  try {
    check_can_reach(settings, arguments.command.empty() ? arguments.start.wanted : "agent");
  } catch (const Error&) {
    registry.remove(settings.name, change);
    throw;
  }
  start_or_remove(context, registry, settings);
  if (settings.disposable) return run_disposable(context, settings, folder, arguments);
  machines::Control control = machines::Control::require(folder);
  Json status = control.ask({{"command", "watch"}}, kPatience, context.cancel);
  if (status.at("accelerator") != "kvm")
    context.progress.note("emulated: " + status.at("accelerator_reason").get<std::string>());
  const std::string wanted = arguments.command.empty() ? arguments.start.wanted : "agent";
  status = follow(context, control, std::move(status), folder, wanted,
                  std::chrono::seconds(arguments.start.timeout));
  if (arguments.command.empty()) {
    print_start(context, status);
    return 0;
  }
  machines::Control other = machines::Control::require(folder);
  return exec_in_machine(context, other, arguments.command, {}, std::chrono::seconds(kLongestCommand));
}

}  // namespace

void declare_vm_run(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("run", "make a machine of a release and start it");
  set.positional("release", arguments->machine.source,
                 "LINE (its current one), LINE@VERSION, LINE-VERSION, or the path of an image file");
  set.positional("command", arguments->command, "behind --: run this in the machine, by its agent");
  set.option("--name", arguments->machine.name, "keep the machine under this name [it is gone at its end]");
  declare_start_options(set, arguments->start);
  declare_machine_options(set, arguments->machine);
  set.set_footer(
      "The release is verified first and stays as it is: the machine's disk holds only what it writes.\n"
      "With --name it runs on in the background; without, it ends with this command.\n"
      "Examples:\n  imgforge vm run kodeimage -- uname -r\n"
      "  imgforge vm run kodeimage --name project --memory 1G --forward 8080:80\n"
      "  imgforge vm run --from-iso alpine-virt.iso --name trial --firmware uefi");
  set.set_runner([arguments](Context& context) { return run_machine(context, *arguments); });
}

}  // namespace imgforge::cli
