#include "builder/cli/vm/reach/exec.hpp"

#include <unistd.h>

#include <array>

#include "builder/cli/vm/start_machine.hpp"
#include "builder/machines/agent/agent.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

constexpr std::size_t kLongestInput = 24 << 20;

struct Arguments {
  std::string name;
  std::vector<std::string> words;
  bool input = false;
  unsigned timeout = 3600;
};

std::string read_input() {
  std::string input;
  std::array<std::byte, 1 << 16> buffer;
  while (const std::size_t n = core::read_some(STDIN_FILENO, buffer, "standard input")) {
    input.append(reinterpret_cast<const char*>(buffer.data()), n);
    if (input.size() > kLongestInput)
      throw core::Error(core::Kind::kUsage, "the agent takes at most 24 MiB of input")
          .hint("imgforge vm cp copies more");
  }
  return input;
}

int exec(Context& context, const Arguments& arguments) {
  machines::Control control = control_of(arguments.name);
  return exec_in_machine(context, control, arguments.words, arguments.input ? read_input() : std::string(),
                         std::chrono::seconds(arguments.timeout));
}

}  // namespace

int exec_in_machine(const Context& context, machines::Control& control, const std::vector<std::string>& words,
                    std::string_view input, std::chrono::milliseconds patience) {
  const machines::ExecStatus status = machines::Agent(control, context.cancel).run(words, input, patience);
  if (context.options.json) {
    print(core::Json{{"schema", 1},
                     {"exit_code", status.exit_code},
                     {"out", status.out},
                     {"err", status.err},
                     {"truncated", status.truncated}}
              .dump(2, ' ', false, core::Json::error_handler_t::replace) +
          "\n");
  } else {
    print_guest_text(STDOUT_FILENO, status.out);
    print_guest_text(STDERR_FILENO, status.err);
  }
  if (status.truncated) context.progress.warn("the agent kept only the first 16 MiB of a stream");
  return status.exit_code;
}

void declare_vm_exec(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("exec", "run a command in a machine by its agent, without network and SSH");
  declare_machine(set, arguments->name);
  set.positional("command", arguments->words, "behind --: the program and its arguments; no shell")
      .required();
  set.flag("-i,--stdin", arguments->input, "give it standard input, up to 24 MiB");
  set.option("--timeout", arguments->timeout, "seconds that it may take").show_default();
  set.set_footer(
      "The exit code is that of the command; 128+n when signal n ended it.\n"
      "Examples:\n  imgforge vm exec project -- uname -a\n"
      "  imgforge vm exec project -- sh -c 'rc-status | grep started'\n"
      "  imgforge vm exec project --stdin -- sh < setup.sh");
  set.set_runner([arguments](Context& context) { return exec(context, *arguments); });
}

}  // namespace imgforge::cli
