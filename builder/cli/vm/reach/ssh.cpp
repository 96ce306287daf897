#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "builder/cli/vm/reach/ssh_key.hpp"
#include "builder/cli/vm/start_machine.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machine/tools.hpp"
#include "builder/machines/agent/ssh_access.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

struct Arguments {
  std::string name;
  std::string user;
  std::vector<std::string> command;
  unsigned timeout = 300;
};

/// A path as a value in ssh_config(5).
std::string quoted(const fs::path& path) {
  if (path.native().find('"') != std::string::npos)
    throw Error(Kind::kUsage, "ssh takes no path with a quotation mark: " + path.native());
  std::string text;
  for (const char c : path.native()) text.append(c == '%' ? 2 : 1, c);
  return '"' + text + '"';
}

/// The first address that leads further than the machine itself.
std::string own_address(const Context& context, const fs::path& folder, const std::string& name) {
  machines::Control control = machines::Control::require(folder);
  machines::Agent agent(control, context.cancel);
  for (const machines::GuestAddress& row : agent.addresses()) {
    if (!row.ipv6 && !row.address.starts_with("127.") && !row.address.starts_with("169.254."))
      return row.address;
  }
  throw Error(Kind::kBoot, name + " has no address of IPv4 yet").hint("imgforge vm address " + name);
}

[[noreturn]] void become(const std::string& program, std::vector<std::string> words) {
  words.insert(words.begin(), "ssh");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  throw core::system_error(errno, "cannot start", program);
}

int ssh(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  const machines::Settings settings = registry.load(arguments.name);
  check_can_reach(settings, "agent");
  // Without a port of this host the machine is reached at its own address.
  const bool bridged = !settings.bridge().empty();
  if (!bridged) check_can_reach(settings, "ssh");
  const fs::path folder = fs::canonical(registry.folder(arguments.name));
  machines::Control control = machines::Control::require(folder);
  core::Json status = control.ask({{"command", "watch"}}, std::chrono::seconds(20), context.cancel);
  const unsigned port = bridged ? 22 : status.at("ssh_port").get<unsigned>();
  std::string user = status.value("ssh_user", "");
  // What the machine's process handed over at the start is good for that user.
  if (user.empty() || (!arguments.user.empty() && arguments.user != user)) {
    const auto patience = std::chrono::seconds(arguments.timeout);
    status = follow(context, control, std::move(status), folder, "agent", patience);
    if (!bridged) status = follow(context, control, std::move(status), folder, "ssh", patience);
    machines::Control other = machines::Control::require(folder);
    machines::Agent agent(other, context.cancel);
    user = hand_over_key(context, agent, folder, arguments.user).user;
  }
  const fs::path own = ssh_folder(folder);
  std::vector<std::string> words{"-F", "none", "-p", std::to_string(port)};
  for (const std::string& option :
       {"UserKnownHostsFile=" + quoted(own / kKnownHosts), std::string("GlobalKnownHostsFile=none"),
        "HostKeyAlias=" + arguments.name, std::string("StrictHostKeyChecking=yes"),
        std::string("UpdateHostKeys=no"), "IdentityFile=" + quoted(own / kSshKey),
        std::string("IdentitiesOnly=yes")})
    words.insert(words.end(), {"-o", option});
  words.push_back(user + "@" + (bridged ? own_address(context, folder, settings.name) : "127.0.0.1"));
  if (!arguments.command.empty()) words.push_back("--");
  words.insert(words.end(), arguments.command.begin(), arguments.command.end());
  become(machine::require_program("ssh").native(), std::move(words));
}

}  // namespace

void declare_vm_ssh(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("ssh", "log in to a machine by SSH, with keys that its agent hands over");
  declare_machine(set, arguments->name);
  set.positional("command", arguments->command, "behind --: run this instead of a shell");
  set.option("--user", arguments->user, "who logs in [the first user with a shell, else root]");
  set.option("--timeout", arguments->timeout, "seconds until the machine answers").show_default();
  set.set_footer("Example: imgforge vm ssh project -- uptime");
  set.set_runner([arguments](Context& context) { return ssh(context, *arguments); });
}

}  // namespace imgforge::cli
