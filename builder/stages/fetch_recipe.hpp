// `imgforge fetch RECIPE`: everything that a build of a profile needs from the network, put into the cache,
// so that `build --offline` makes no request.
#pragma once

#include "builder/recipe/recipe.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::stages {

/// Base, indexes and packages; `Toolbox::on_fetched` is told of each file. The appliance resolves packages
/// when that is not known yet. Throws what a build would throw up to there.
void fetch_recipe(Toolbox& tools, const recipe::ResolvedRecipe& recipe);

}  // namespace imgforge::stages
