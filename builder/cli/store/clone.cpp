#include <fmt/format.h>

#include "artifacts/manifest/formats.hpp"
#include "artifacts/store/clones.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/image/disk/qcow2_overlay.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

struct Arguments {
  std::string reference;
  std::string name;
  std::filesystem::path folder;
  std::string format;
  std::shared_ptr<std::vector<std::string>> public_keys;
};

int clone(Context& context, const Arguments& arguments) {
  const artifacts::Store store = open_store(context);
  const artifacts::ReleaseLocation location = artifacts::find_release_in_place(store, arguments.reference);
  artifacts::CloneRequest request;
  request.line = location.line;
  request.version = location.version;
  request.name = arguments.name;
  request.folder = arguments.folder;
  request.format = arguments.format;
  request.make_overlay = [&](const std::filesystem::path& target, const std::string& backing,
                             const std::string& format) {
    image::make_overlay(target, backing, format, context.processes, context.cancel);
  };
  const artifacts::DigestMemory memory(context.options.cache_dir / "digests", artifacts::Earlier::kBelieve);
  request.memory = &memory;
  request.change.cancel = context.cancel;
  request.change.signature = trusting(*arguments.public_keys);
  const artifacts::CloneResult result = artifacts::make_clone(store, request);
  for (const std::string& warning : result.warnings) context.progress.warn(warning);
  const std::string disk = (result.clone.directory / artifacts::kCloneDisk).native();
  print(context.options.json ? core::print_json({{"schema", 1},
                                                 {"name", result.clone.name},
                                                 {"line", result.clone.line},
                                                 {"version", result.clone.version},
                                                 {"disk", core::escaped(disk, 4096)},
                                                 {"existed", result.existed}})
                             : fmt::format("{}{}, stands on {}@{}\n", core::escaped(disk, 4096),
                                           result.existed ? ": was there already" : "", result.clone.line,
                                           result.clone.version));
  return 0;
}

}  // namespace

Runner declare_clone(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  set.positional("release", arguments->reference,
                 "LINE (its current one), LINE@VERSION, LINE-VERSION or a path")
      .required();
  set.positional("name", arguments->name, "what the clone is called").required();
  set.option("--dir", arguments->folder, "existing folder to make it in [clones/ of the output folder]");
  set.option("--format", arguments->format, "qcow2 or raw: the disk to stand on [qcow2 if there is one]")
      .one_of(artifacts::machine_disk_names());
  arguments->public_keys = declare_public_keys(set);
  set.set_footer(
      "The clone's disk.qcow2 holds only what the machine writes: its files, keys, logs. Everything else it\n"
      "reads from the release, which stays unchanged and is neither removed nor archived while the clone is\n"
      "there. Memory and the variables of UEFI are the machine's own and are not part of the clone.\n"
      "Example: imgforge clone hello-boot@v20261120 trial");
  return [arguments](Context& context) { return clone(context, *arguments); };
}

}  // namespace imgforge::cli
