// The build of a profile whose base is one of Alpine's ISO images: the image is fetched and verified, the
// recipe becomes the configuration that it takes on when it starts, and both become one medium. Neither the
// appliance nor a root file system is needed.
#pragma once

#include "builder/recipe/recipe.hpp"
#include "builder/stages/profile_build.hpp"
#include "builder/stages/step_runner.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::stages {

/// Makes the medium. Throws core::Error; nothing is left but cached results.
BuiltProfile remaster(Toolbox& tools, const recipe::ResolvedRecipe& recipe, StepRunner& runner,
                      std::optional<LockedSources> locked);

}  // namespace imgforge::stages
