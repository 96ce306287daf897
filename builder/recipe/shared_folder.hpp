// The section shared of a recipe.
#pragma once

#include <optional>

#include "builder/recipe/document/document.hpp"
#include "builder/recipe/recipe.hpp"

namespace imgforge::recipe {

/// What the section says; nullopt without one, or when it says `false`. Throws kRecipe for a command that has
/// nothing to act upon, for services or keys without their command, and for a key without values.
std::optional<SharedFolder> read_shared(const Node& top);

}  // namespace imgforge::recipe
