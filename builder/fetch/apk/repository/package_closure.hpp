// Which packages of one index a list of names brings in: what a medium installs when it starts, known
// beforehand. A medium has one version of each package, so versions are not weighed; apk itself decides again
// when the medium starts.
#pragma once

#include <string>
#include <vector>

#include "builder/fetch/apk/apk_index.hpp"
#include "builder/recipe/recipe.hpp"

namespace imgforge::fetch {

/// The packages of `world` (names, or name=version), all that they need, and those that install themselves
/// beside them (install_if), in the order of the index. `medium` names the index in messages. Throws kPackage
/// at the recipe's place for what the index does not have, naming it and the nearest name.
std::vector<const IndexEntry*> package_closure(const Index& index, const std::vector<recipe::Marked>& world,
                                               const std::string& medium);

}  // namespace imgforge::fetch
