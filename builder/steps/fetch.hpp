// `imgforge fetch RECIPE`: everything that a build of a profile needs from the network, put into the cache,
// so that `build --offline` makes no request.
#pragma once

#include <optional>

#include "builder/lock/lock.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::steps {

/// Base, indexes and packages; `Toolbox::on_fetched` is told of each file. Without a lock the appliance
/// resolves packages when that is not known yet. Throws what a build would throw up to there.
void fetch_recipe(stages::Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                  const std::optional<lock::Lock>& lock);

}  // namespace imgforge::steps
