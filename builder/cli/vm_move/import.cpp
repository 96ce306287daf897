#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/cli/vm_move/place_machine.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

struct Arguments {
  fs::path file;
  Placement placement;
};

core::Fd open_bundle(const fs::path& file) {
  return file == "-" ? core::Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) : core::open_regular(file);
}

/// What another host sent: whole, checked, and standing on nothing.
void take(const Context& context, artifacts::TarReader& tar, const Placement& placement) {
  machines::unpack(tar, placement.head, placement.staged);
  for (const machines::BundleFile& file : placement.head.files)
    machines::take_off(placement.staged / file.name, context.processes, context.cancel);
}

int import_machine(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  registry.make_root();
  core::TempDir::reclaim(registry.root());
  const core::Fd fd = open_bundle(arguments.file);
  artifacts::TarReader tar(fd.get(), arguments.file == "-" ? "the bundle" : arguments.file.native(),
                           machines::bundle_policy());
  const core::TempDir staging(fs::canonical(registry.root()), ".arriving");
  Placement placement = arguments.placement;
  placement.staged = staging.path();
  placement.head = machines::read_head(tar);
  const std::string name = placement.name.empty() ? placement.head.settings.name : placement.name;
  core::Activity activity = context.progress.begin("vm/" + name);
  check_placement(context, registry, placement);
  take(context, tar, placement);
  const machines::Settings settings = place_machine(context, registry, placement);
  activity.done("on " + core::escaped(settings.origin.text()));
  print(
      context.options.json
          ? core::print_json({{"schema", 1}, {"name", settings.name}, {"stands_on", settings.origin.text()}})
          : fmt::format("{} stands on {}; imgforge vm start {}\n", settings.name,
                        core::escaped(settings.origin.text()), settings.name));
  return 0;
}

}  // namespace

void declare_vm_import(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("import", "make a machine of a file that vm export wrote");
  set.positional("file", arguments->file, "the file, or - for standard input").required();
  set.option("--name", arguments->placement.name, "of the machine here [the one that it had]");
  set.option("--base", arguments->placement.base,
             "of a machine that stands on no release: the image that it stood on [where that was]");
  set.option("--arriving", arguments->placement.move_id,
             "for vm migrate: it may not run before that says so");
  declare_public_keys(set, arguments->placement.public_keys);
  set.set_footer(
      "The release that the machine stands on is looked for by its digest in --output-dir, or where it was,\n"
      "and verified. Ports that are taken become others, and folders are not shared until somebody says so.\n"
      "Example: imgforge vm import project.machine --name second");
  set.set_runner([arguments](Context& context) { return import_machine(context, *arguments); });
}

}  // namespace imgforge::cli
