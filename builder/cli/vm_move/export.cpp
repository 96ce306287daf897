#include <fcntl.h>
#include <fmt/format.h>

#include "artifacts/codec/compression.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/cli/vm_move/leave.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr int kLevel = 3;

struct Arguments {
  std::string name;
  fs::path file;
};

int export_machine(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  std::error_code error;
  if (fs::exists(fs::symlink_status(arguments.file, error)))
    throw Error(Kind::kUsage, core::escaped(arguments.file.native()) + " is there already");
  Leaving leaving(context, registry, arguments.name);
  leaving.require_stopped();
  core::Activity activity = context.progress.begin("vm/" + arguments.name);
  const machines::BundleHead head = leaving.describe(machines::DiskContent::kIn);
  const core::UnfinishedFile plain(arguments.file.native() + ".unfinished");
  {
    core::NewFile tar(plain.path(), 0600);
    machines::write_bundle(tar.fd(), plain.path().native(), head, leaving.folder());
    tar.keep();
    tar.close();
  }
  core::UnfinishedFile packed(arguments.file);
  const std::uint64_t size = artifacts::compress_zstd(plain.path(), packed.path(), kLevel,
                                                      artifacts::LongMode::kOff, context.cancel);
  const core::Fd fd = core::open_file(packed.path(), O_RDWR | O_NOFOLLOW);
  core::sync_fd(fd.get(), packed.path().native());
  packed.keep();
  activity.done(core::Bytes{size}.human());
  print(context.options.json ? core::print_json({{"schema", 1},
                                                 {"name", arguments.name},
                                                 {"file", arguments.file.native()},
                                                 {"size", size},
                                                 {"base", head.base.to_string()},
                                                 {"stands_on", head.settings.origin.text()}})
                             : fmt::format("{}: {} of {}, which stands on {}\n",
                                           core::escaped(arguments.file.native()), core::Bytes{size}.human(),
                                           arguments.name, core::escaped(head.settings.origin.text())));
  return 0;
}

}  // namespace

void declare_vm_export(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("export", "write a stopped machine to a file, for vm import");
  declare_machine(set, arguments->name);
  set.positional("file", arguments->file, "new file").required();
  set.set_footer(
      "The file has what the machine wrote, its settings and the digest of the image that it stands on,\n"
      "which has to be where the file is imported.\n"
      "Example: imgforge vm export project project.machine");
  set.set_runner([arguments](Context& context) { return export_machine(context, *arguments); });
}

}  // namespace imgforge::cli
