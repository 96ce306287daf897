#include "artifacts/fsck/repair.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::RepairStep;

struct Arguments {
  std::vector<std::string> heads;
  std::vector<std::string> public_keys;
  bool yes = false;
};

int repair(Context& context, const Arguments& arguments) {
  const artifacts::Store store = open_store(context);
  artifacts::RepairOptions options;
  options.check.signature = trusting(arguments.public_keys);
  options.check.cancel = options.change.cancel = context.cancel;
  options.apply = arguments.yes;
  for (const std::string& head : arguments.heads) {
    const artifacts::ReleaseLocation release = artifacts::find_release(store, head);
    options.heads[release.line] = release.version;
  }
  std::optional<artifacts::BlobStore> blobs;
  if (std::filesystem::is_directory(context.options.cache_dir / "blobs"))
    options.blobs = &blobs.emplace(context.options.cache_dir / "blobs");
  const artifacts::RepairResult result = artifacts::repair(store, options);
  for (const std::string& warning : result.warnings) context.progress.warn(warning);
  core::Json rows = core::Json::array();
  std::string text;
  for (const RepairStep& step : result.steps) {
    const std::string path = core::escaped(step.finding.path.lexically_relative(store.root()).native());
    rows.push_back({{"path", path},
                    {"damage", artifacts::damage_name(step.finding.damage)},
                    {"detail", step.finding.detail},
                    {"possible", step.possible},
                    {"done", step.done},
                    {"what", step.what}});
    const std::string mark = !step.possible ? context.out.bad("✗")
                             : step.done    ? context.out.good("✓")
                                            : context.out.warn("!");
    text += fmt::format("  {} {}: {}\n      {}\n", mark, path, core::escaped(step.finding.detail),
                        core::escaped(step.what));
  }
  const auto able = std::count_if(result.steps.begin(), result.steps.end(),
                                  [](const RepairStep& step) { return step.possible; });
  if (result.steps.empty()) {
    text = "nothing to repair\n";
  } else {
    text += fmt::format("{} {} of {} problem{}{}\n", arguments.yes ? "mended" : "could mend", able,
                        result.steps.size(), result.steps.size() == 1 ? "" : "s",
                        arguments.yes || able == 0 ? "" : " · run again with --yes");
  }
  print(context.options.json
            ? core::print_json(
                  {{"schema", 1}, {"applied", arguments.yes}, {"ok", result.ok()}, {"steps", rows}})
            : text);
  return result.ok() ? 0 : core::exit_code(core::Kind::kIntegrity);
}

}  // namespace

Runner declare_repair(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  set.flag("--yes", arguments->yes, "do it; without this it is only said");
  set.option("--head", arguments->heads,
             "LINE@VERSION to make current where current is missing or broken; repeatable");
  declare_public_keys(set, arguments->public_keys);
  set.set_footer(
      "Lost or changed files come back from the build cache or another release that has the same bytes, and "
      "only\n"
      "where a trusted signature proves what they were. What is current is never guessed.\n"
      "Example: imgforge repair --yes --head hello-boot@v20261120");
  return [arguments](Context& context) { return repair(context, *arguments); };
}

}  // namespace imgforge::cli
