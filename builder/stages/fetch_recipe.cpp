#include "builder/stages/fetch_recipe.hpp"

#include "builder/stages/profile_build.hpp"
#include "builder/stages/sources.hpp"
#include "core/error.hpp"

namespace imgforge::stages {

void fetch_recipe(Toolbox& tools, const recipe::ResolvedRecipe& recipe) {
  core::while_doing("fetching for " + recipe.line(), [&] {
    if (recipe.iso_base() != nullptr) {
      obtain_base(tools, find_base(tools, recipe));
      return;
    }
    StepRunner runner(tools);
    ProfileBuild(tools, recipe, runner).fetch_sources();
  });
}

}  // namespace imgforge::stages
