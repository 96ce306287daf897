#include <fmt/format.h>

#include "builder/cli/arguments/recipe_arguments.hpp"
#include "core/json.hpp"

namespace imgforge::cli {

Runner declare_validate(OptionSet& set) {
  const auto arguments = declare_recipe(set);
  return [arguments](Context& context) {
    const auto profiles = resolve_profiles(*arguments, core::build_time(context.clock));
    const std::vector<std::string> warnings = warn_of(context, profiles);
    core::Json names = core::Json::array();
    for (const recipe::ResolvedRecipe& profile : profiles) names.push_back(profile.line());
    if (context.options.json) {
      print(core::print_json({{"schema", 1}, {"valid", true}, {"profiles", names}, {"warnings", warnings}}));
    } else {
      print(fmt::format("{} is valid: {} profile{} ({})\n", arguments->file.native(), profiles.size(),
                        profiles.size() == 1 ? "" : "s",
                        fmt::join(names.get<std::vector<std::string>>(), ", ")));
    }
    return 0;
  };
}

}  // namespace imgforge::cli
