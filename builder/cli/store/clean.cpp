#include <fmt/format.h>

#include "artifacts/fsck/leftovers.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

int clean(Context& context, artifacts::CleanOptions options) {
  const artifacts::Store store = open_store(context);
  options.change.cancel = context.cancel;
  const artifacts::CleanResult result = artifacts::clean(store, options);
  for (const std::string& warning : result.warnings) context.progress.warn(warning);
  core::Json rows = core::Json::array();
  std::string text;
  std::uint64_t sum = 0;
  for (const artifacts::Leftover& leftover : result.removed) {
    sum += leftover.stored;
    rows.push_back({{"path", core::escaped(leftover.path.native(), 4096)}, {"stored", leftover.stored}});
    text += fmt::format("  {}  {}\n", core::escaped(leftover.path.lexically_relative(store.root()).native()),
                        core::Bytes{leftover.stored}.human());
  }
  text +=
      result.removed.empty()
          ? "nothing to remove\n"
          : fmt::format("{} {} leftover{}, {}{}\n", options.dry_run ? "would remove" : "removed",
                        result.removed.size(), result.removed.size() == 1 ? "" : "s",
                        core::Bytes{sum}.human(), options.dry_run ? " · run again without --dry-run" : "");
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"dry_run", options.dry_run}, {"removed", rows}})
            : text);
  return result.warnings.empty() ? 0 : 1;
}

}  // namespace

Runner declare_clean(OptionSet& set) {
  auto options = std::make_shared<artifacts::CleanOptions>();
  set.flag("-n,--dry-run", options->dry_run, "print what would be removed");
  set.flag("--earlier-tools", options->earlier_tools,
           "also folders *-build-* that earlier tools left in the output folder");
  set.set_footer(
      "Removes what killed runs left and no running process owns. Releases, the archive and files of others "
      "are\n"
      "never touched.\n"
      "Example: imgforge clean --dry-run");
  return [options](Context& context) { return clean(context, *options); };
}

}  // namespace imgforge::cli
