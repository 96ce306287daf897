#include <fmt/format.h>

#include "builder/cli/vm/vm.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/random.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestPicture = 64 << 20;

struct Arguments {
  std::string name;
  fs::path file = "screen.png";
};

int screenshot(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  if (!registry.load(arguments.name).graphics) {
    throw core::Error(core::Kind::kUsage, arguments.name + " has no screen")
        .hint("imgforge vm run --graphics gives it one");
  }
  const fs::path folder = registry.folder(arguments.name);
  machines::Control control = machines::Control::require(folder);
  const std::string name = "screen-" + core::random_hex(4) + ".png";
  control.ask(
      {{"command", "qmp"},
       {"request", {{"execute", "screendump"}, {"arguments", {{"filename", name}, {"format", "png"}}}}}},
      std::chrono::seconds(30), context.cancel);
  core::write_file_atomically(arguments.file, core::read_text_file(folder / name, kLargestPicture));
  fs::remove(folder / name);
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"file", core::escaped(arguments.file.native(), 4096)}})
            : core::escaped(arguments.file.native(), 4096) + "\n");
  return 0;
}

}  // namespace

void declare_vm_screenshot(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("screenshot", "write a picture of a machine's screen");
  declare_machine(set, arguments->name);
  set.positional("file", arguments->file, "PNG to write").show_default();
  set.set_runner([arguments](Context& context) { return screenshot(context, *arguments); });
}

}  // namespace imgforge::cli
