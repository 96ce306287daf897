// Commands and messages for a machine through the folder that it shares with its host.
#include <fmt/format.h>

#include "builder/cli/vm/vm.hpp"
#include "builder/machines/shared/conversation.hpp"
#include "builder/machines/shared/order.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

struct Arguments {
  std::string name;
  std::vector<std::string> words;
  unsigned timeout = 60;
};

int ask(Context& context, const Arguments& arguments, const std::string& order) {
  const machines::Registry registry = machine_registry();
  const machines::Settings settings = registry.load(arguments.name);
  machines::check_allowed(settings, order);
  machines::Control control = control_of(arguments.name);
  const core::Json status = control.ask({{"command", "status"}}, std::chrono::seconds(20), context.cancel);
  const std::filesystem::path folder = registry.folder(arguments.name);
  const machines::Route route = machines::route_to(settings, folder, status.value("agent", false));
  if (!route.why.empty()) context.progress.warn(route.why + ": its agent is asked");
  machines::AuditLog audit(folder, core::system_clock(), context.cancel);
  const machines::Conversation conversation{settings, folder, std::chrono::seconds(arguments.timeout),
                                            context.cancel,
                                            [&](const std::string& text) { context.progress.warn(text); }};
  const bool by_folder = route.way == machines::Way::kFolder;
  machines::Agent agent(control, context.cancel);
  const machines::Answer answer = by_folder ? machines::ask_by_folder(conversation, audit, order)
                                            : machines::ask_by_agent(conversation, audit, agent, order);
  const std::string text = core::escaped(answer.text);
  print(context.options.json ? core::print_json({{"schema", 1},
                                                 {"name", arguments.name},
                                                 {"number", answer.number},
                                                 {"command", order},
                                                 {"way", by_folder ? "folder" : "agent"},
                                                 {"outcome", answer.outcome},
                                                 {"text", text}})
                             : fmt::format("#{} {}: {}\n", answer.number, answer.outcome, text));
  return answer.outcome == "done" ? 0 : 1;
}

void declare_timeout(OptionSet& set, unsigned& timeout) {
  set.option("--timeout", timeout, "seconds to wait for the answer").between(1, 86400).show_default();
}

}  // namespace

void declare_vm_command(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set =
      vm.command("command", "ask a machine for what its recipe allows, through the shared folder");
  declare_machine(set, arguments->name);
  set.positional("command", arguments->words, "shutdown, restart SERVICE, or config KEY=VALUE").required();
  declare_timeout(set, arguments->timeout);
  set.set_footer(
      "Exit code 0 when the machine says that it was done. Without a shared folder its agent is asked.\n"
      "Examples:\n  imgforge vm command voice restart voice-service\n"
      "  imgforge vm command voice config voice-sensitivity=high");
  set.set_runner([arguments](Context& context) {
    return ask(context, *arguments, machines::order_of(arguments->words));
  });
}

void declare_vm_message(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set =
      vm.command("message", "put a line into the system log of a machine, through the shared folder");
  declare_machine(set, arguments->name);
  set.positional("text", arguments->words, "the message").required();
  declare_timeout(set, arguments->timeout);
  set.set_runner([arguments](Context& context) {
    return ask(context, *arguments, machines::message_order(arguments->words));
  });
}

}  // namespace imgforge::cli
