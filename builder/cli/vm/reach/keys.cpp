#include <fmt/format.h>

#include "builder/cli/vm/reach/ssh_key.hpp"
#include "builder/cli/vm/start_machine.hpp"
#include "builder/machines/agent/agent.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string name;
  std::string user;
};

int keys(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  check_can_reach(registry.load(arguments.name), "agent");
  const fs::path folder = fs::canonical(registry.folder(arguments.name));
  machines::Control control = machines::Control::require(folder);
  machines::Agent agent(control, context.cancel);
  const machines::SshAccess access = hand_over_key(context, agent, folder, arguments.user);
  const std::string key = ssh_public_key(context, folder);
  const fs::path file = ssh_folder(folder) / kSshKey;
  print(context.options.json ? core::print_json({{"schema", 1},
                                                 {"user", access.user},
                                                 {"identity", file.native()},
                                                 {"public_key", key},
                                                 {"known_hosts", access.known_hosts}})
                             : fmt::format("user      {}\nidentity  {}\n{}\n{}", access.user, file.native(),
                                           key, access.known_hosts));
  return 0;
}

}  // namespace

void declare_vm_keys(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set =
      vm.command("keys", "print what SSH needs of a machine: who logs in, with which key, and its host keys");
  declare_machine(set, arguments->name);
  set.option("--user", arguments->user, "who logs in [the first user with a shell, else root]");
  set.set_footer("The key is let in by the machine's agent. The last lines are those of a known_hosts file.");
  set.set_runner([arguments](Context& context) { return keys(context, *arguments); });
}

}  // namespace imgforge::cli
