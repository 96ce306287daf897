#include <fmt/format.h>

#include "builder/cli/vm/vm.hpp"
#include "builder/cli/vm_move/leave.hpp"
#include "builder/machine/accelerator.hpp"
#include "builder/machine/tools.hpp"
#include "builder/machines/move/libvirt.hpp"
#include "builder/machines/qemu/variables.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/new_file.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Kind;

struct Arguments {
  std::string name;
  bool libvirt = false;
  bool print = false;
  std::string connect = "qemu:///session";
};

int define(Context& context, const Arguments& arguments) {
  if (!arguments.libvirt) throw Error(Kind::kUsage, "--libvirt says for whom the machine is defined");
  const machines::Registry registry = machine_registry();
  Leaving leaving(context, registry, arguments.name);
  leaving.require_stopped();
  const std::string xml = machines::domain_xml(
      leaving.settings(), leaving.folder(),
      machines::raw_variables(leaving.settings(), leaving.folder(), context.processes, context.cancel),
      machine::find_accelerator(context.processes, context.options.cache_dir, context.cancel).accelerator);
  for (const std::string& text : machines::left_out_of_domain(leaving.settings()))
    context.progress.warn(text);
  if (arguments.print) {
    print(xml);
    return 0;
  }
  const core::TempDir work(context.options.cache_dir / "tmp", "domain");
  core::write_new_file(work / "domain.xml", xml);
  core::Command command;
  command.program = machine::require_program("virsh").native();
  command.args = {"--quiet", "--connect",  arguments.connect,
                  "define",  "--validate", (work / "domain.xml").native()};
  context.processes.check(command, context.cancel, Kind::kMachine);
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"name", arguments.name}, {"connect", arguments.connect}})
            : fmt::format("{0} is defined; virsh --connect {1} start {0}\n", arguments.name,
                          arguments.connect));
  return 0;
}

}  // namespace

void declare_vm_define(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("define", "hand a stopped machine to libvirt");
  declare_machine(set, arguments->name);
  set.flag("--libvirt", arguments->libvirt, "as a domain of libvirt");
  set.flag("--print", arguments->print, "print the domain's XML, and define nothing");
  set.option("--connect", arguments->connect, "libvirt's URI").show_default();
  set.set_footer(
      "The disk stays where it is: whoever has it open, imgforge or libvirt, keeps the other from it.\n"
      "Variables of UEFI, with the keys of Secure Boot, are copied to variables.fd beside it (virsh "
      "undefine\n"
      "--keep-nvram leaves them there).\n"
      "Example: imgforge vm define project --libvirt && virsh --connect qemu:///session start project");
  set.set_runner([arguments](Context& context) { return define(context, *arguments); });
}

}  // namespace imgforge::cli
