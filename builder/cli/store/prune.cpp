// Commands that take releases away: prune by a policy, remove by name.
#include "artifacts/retention/prune.hpp"

#include <fmt/format.h>

#include <numeric>

#include "artifacts/store/clones.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/retention_arguments.hpp"
#include "builder/cli/frame/json_rows.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using artifacts::PlannedRelease;
using artifacts::PruneResult;

int say(Context& context, const PruneResult& result, bool applied) {
  for (const std::string& warning : result.warnings) context.progress.warn(warning);
  std::size_t count = 0;
  std::uint64_t frees = 0;
  for (const PlannedRelease& planned : result.releases) {
    count += planned.goes() ? 1 : 0;
    frees += planned.frees;
  }
  if (context.options.json) {
    print(print_json_rows({{"schema", 1}, {"applied", applied}, {"frees", frees}}, "releases",
                          result.releases.size(),
                          [&](std::size_t i) { return plan_json(result.releases[i]); }));
    return 0;
  }
  std::vector<std::vector<std::string>> table{{"LINE", "VERSION", "FATE", "FREES", "WHY"}};
  for (const PlannedRelease& planned : result.releases) table.push_back(plan_row(planned, "remove"));
  const std::string kept = kept_text(result.releases);
  const std::string sum =
      count == 0 ? "nothing to remove; " + kept
                 : fmt::format("{} {}, {} {}; {}{}", applied ? "removed" : "would remove",
                               count_text(count, "release"), applied ? "freed" : "free",
                               core::Bytes{frees}.human(), kept, applied ? "" : " · run again with --yes");
  print((table.size() == 1 ? "" : text_table(table, context.out, {3})) + sum + "\n");
  return 0;
}

struct RemoveArguments {
  std::vector<std::string> names;
  bool yes = false;
};

int remove_clones(Context& context, const artifacts::Store& store, const std::vector<std::string>& names,
                  bool yes) {
  core::Json rows = core::Json::array();
  std::string text;
  for (const std::string& name : names) {
    const artifacts::Clone clone = *artifacts::read_clone(store.root(), name);
    const std::string what = fmt::format("clone {} of {}@{}", name, clone.line, clone.version);
    if (yes) {
      for (const std::string& warning : artifacts::remove_clone(store, name, {.cancel = context.cancel}))
        context.progress.warn(warning);
    }
    text += fmt::format("{} {}{}\n", yes ? "removed" : "would remove", what,
                        yes ? "" : " · run again with --yes");
    rows.push_back({{"clone", name}, {"line", clone.line}, {"version", clone.version}, {"done", yes}});
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"applied", yes}, {"clones", rows}}) : text);
  return 0;
}

int remove(Context& context, const RemoveArguments& arguments) {
  const artifacts::Store store = open_store(context);
  std::vector<std::string> clones, releases;
  for (const std::string& name : arguments.names)
    (artifacts::read_clone(store.root(), name) ? clones : releases).push_back(name);
  if (!clones.empty() && !releases.empty())
    throw core::Error(core::Kind::kUsage, "name either clones or releases, not both");
  if (!clones.empty()) return remove_clones(context, store, clones, arguments.yes);
  return say(context, artifacts::remove_releases(store, releases, arguments.yes, {.cancel = context.cancel}),
             arguments.yes);
}

}  // namespace

Runner declare_prune(OptionSet& set) {
  auto lines = std::make_shared<std::vector<std::string>>();
  auto options = std::make_shared<artifacts::PruneOptions>();
  auto archived = std::make_shared<bool>(false);
  set.positional("line", *lines, "name and profile [all]");
  auto policy = declare_policy(set, "--keep-within");
  set.flag("--archived", *archived, "apply the policy to the archive instead");
  set.flag("--yes", options->apply, "do it; without this it is only said");
  set.set_footer(
      "Each line for itself; a release stays when one rule keeps it. The current one, pinned and cloned "
      "ones,\n"
      "damaged ones, those in use and those with foreign files always stay. Nothing is guessed: without a "
      "rule\n"
      "prune is refused.\n"
      "Example: imgforge prune --keep-last 3 --keep-monthly 6");
  return [=](Context& context) {
    const artifacts::Store store = open_store(context);
    artifacts::PruneOptions chosen = *options;
    chosen.policy = policy->policy(context.clock);
    chosen.where = *archived ? artifacts::Where::kArchive : artifacts::Where::kReleases;
    for (const std::string& name : *lines) chosen.lines.push_back(artifacts::find_line(store, name));
    chosen.change.cancel = context.cancel;
    return say(context, artifacts::prune(store, chosen), chosen.apply);
  };
}

Runner declare_remove(OptionSet& set) {
  auto arguments = std::make_shared<RemoveArguments>();
  set.positional("name", arguments->names, "releases (LINE@VERSION, LINE-VERSION or a path), or clones")
      .required();
  set.flag("--yes", arguments->yes, "do it; without this it is only said");
  set.set_footer(
      "Releases that are current, pinned, cloned or in use are refused, and so is a clone on which a "
      "machine\n"
      "runs. The state of a removed clone is lost; its release stays.\n"
      "Example: imgforge remove hello-boot@v20261120 --yes");
  return [arguments](Context& context) { return remove(context, *arguments); };
}

}  // namespace imgforge::cli
