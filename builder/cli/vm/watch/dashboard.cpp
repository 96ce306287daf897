// imgforge vm dashboard: a page with the machines, and the API that it uses.
#include <fmt/format.h>
#include <unistd.h>

#include "builder/cli/vm/vm.hpp"
#include "builder/dashboard/server.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/process.hpp"

namespace imgforge::cli {
namespace {

constexpr std::chrono::seconds kLongestCommand{600};

struct Arguments {
  std::uint16_t port = 0;
  std::string open = "auto";
};

/// This program with the same folders; its result as JSON.
dashboard::Api::RunCommand command_runner(const Context& context) {
  return [&context](const std::vector<std::string>& words) {
    core::Command command;
    command.program = "/proc/self/exe";
    command.args = {"--json",
                    "--quiet",
                    "--progress",
                    "plain",
                    "--output-dir",
                    std::filesystem::absolute(context.options.output_dir),
                    "--cache-dir",
                    std::filesystem::absolute(context.options.cache_dir),
                    "vm"};
    command.args.insert(command.args.end(), words.begin(), words.end());
    for (char** one = environ; *one != nullptr; ++one) {
      const std::string_view text = *one;
      const std::size_t equals = text.find('=');
      if (equals != std::string_view::npos)
        command.environment[std::string(text.substr(0, equals))] = text.substr(equals + 1);
    }
    command.timeout = kLongestCommand;
    return context.processes.run(command, context.cancel);
  };
}

/// Shows the page to whoever sits here, where there is a desktop. That nobody does is no fault.
void open_browser(const Context& context, const std::string& address) {
  core::Command command;
  command.program = "xdg-open";
  command.args = {address};
  for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
                           "XAUTHORITY", "BROWSER", "XDG_CURRENT_DESKTOP"})
    if (const char* value = std::getenv(name)) command.environment[name] = value;
  command.timeout = std::chrono::seconds(20);
  try {
    context.processes.run(command, context.cancel);
  } catch (const core::Error&) {
  }
}

bool has_desktop() {
  return ::isatty(STDERR_FILENO) == 1 &&
         (std::getenv("DISPLAY") != nullptr || std::getenv("WAYLAND_DISPLAY") != nullptr) &&
         !core::find_program("xdg-open").empty();
}

int serve(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  dashboard::Server server(registry, {arguments.port, command_runner(context)});
  print(context.options.json ? core::print_json({{"schema", 1},
                                                 {"url", server.address()},
                                                 {"port", server.port()},
                                                 {"token", server.token()}})
                             : server.address() + "\n");
  context.progress.note("whoever has this address can do with the machines what you can · Ctrl-C ends it");
  if (arguments.open == "yes" || (arguments.open == "auto" && has_desktop()))
    open_browser(context, server.address());
  server.run(context.cancel);
  return 0;
}

}  // namespace

void declare_vm_dashboard(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("dashboard", "serve a page with the machines to this host's browsers");
  set.option("--port", arguments->port, "port of 127.0.0.1; 0: any free one").show_default();
  set.option("--open", arguments->open, "open it in a browser: yes, no, auto (where there is a desktop)")
      .one_of({"auto", "yes", "no"});
  set.set_footer(
      "Console and screen need Debian's packages node-xterm and novnc. The page uses an API that is there "
      "for others\n"
      "too (builder/dashboard/README.md):\n"
      "  curl -H 'Authorization: Bearer TOKEN' http://127.0.0.1:PORT/api/v1/machines");
  set.set_runner([arguments](Context& context) { return serve(context, *arguments); });
}

}  // namespace imgforge::cli
