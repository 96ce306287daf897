#include "builder/recipe/show.hpp"

#include "builder/cli/recipe_arguments.hpp"

namespace imgforge::cli {

Runner declare_show(CLI::App& app) {
  const auto arguments = declare_recipe(app);
  return [arguments](Context& context) {
    std::string text;
    for (const recipe::ResolvedRecipe& profile :
         resolve_profiles(*arguments, core::build_time(context.clock))) {
      if (context.options.json) {
        text += recipe::show_json(profile);
      } else {
        text += (text.empty() ? "" : "---\n") + recipe::show_yaml(profile);
      }
    }
    print(text);
    return 0;
  };
}

}  // namespace imgforge::cli
