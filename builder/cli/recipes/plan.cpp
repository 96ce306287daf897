#include <fmt/format.h>

#include "builder/cli/arguments/build_arguments.hpp"
#include "builder/steps/build.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using engine::Outlook;
using engine::StepOutlook;

core::Json row_json(const StepOutlook& row) {
  return {{"step", row.id},
          {"outlook", engine::outlook_name(row.outlook)},
          {"summary", row.summary},
          {"fingerprint", row.fingerprint},
          {"why", row.why}};
}

std::string row_text(const StepOutlook& row, bool why, const Style& style) {
  const std::string name = row.id;
  const std::string outlook = fmt::format("{:<6}", engine::outlook_name(row.outlook));
  std::string detail = row.summary;
  if (why && row.outlook == Outlook::kRun) detail = row.why;
  return fmt::format("  {:<32} {} {}\n", name,
                     row.outlook == Outlook::kRun ? style.warn(outlook) : style.dim(outlook), detail);
}

}  // namespace

int print_plan(Context& context, const BuildArguments& arguments) {
  BuildTools tools(context, arguments, CacheUse::kRead);
  std::string text;
  core::Json rows = core::Json::array();
  std::size_t runs = 0;
  const auto profiles = resolve_profiles(*arguments.recipe, core::build_time(context.clock));
  warn_of(context, profiles);
  const auto lock = lock_to_use(context, arguments, profiles, tools.toolbox());
  for (const recipe::ResolvedRecipe& recipe : profiles) {
    const auto locked = stages::usable_lock(lock ? &*lock : nullptr, recipe);
    text += fmt::format("{} {}\n", context.out.bold(recipe.line()), recipe.version);
    for (const StepOutlook& row : steps::plan(tools.toolbox(), recipe, locked, arguments.is_draft)) {
      runs += row.outlook == Outlook::kRun ? 1 : 0;
      text += row_text(row, arguments.why, context.out);
      rows.push_back(row_json(row));
    }
  }
  text += runs == 0 ? "every step is known: a build would only ask for the indexes\n"
                    : fmt::format("{} step{} would run\n", runs, runs == 1 ? "" : "s");
  print(context.options.json ? core::print_json({{"schema", 1}, {"steps", rows}, {"would_run", runs}})
                             : text);
  return 0;
}

Runner declare_plan(OptionSet& set) {
  const auto arguments = declare_build_arguments(set);
  return [arguments](Context& context) { return print_plan(context, *arguments); };
}

}  // namespace imgforge::cli
