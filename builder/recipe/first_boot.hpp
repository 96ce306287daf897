// The section first_boot of a recipe.
#pragma once

#include <optional>
#include <string>

#include "builder/recipe/document/document.hpp"
#include "builder/recipe/recipe.hpp"

namespace imgforge::recipe {

/// What the section says; nullopt without one, or when it says `false`. `name` is the recipe's. Throws
/// kRecipe for numbers out of their range and for URLs that an image cannot fetch.
std::optional<FirstBoot> read_first_boot(const Node& top, const std::string& name);

}  // namespace imgforge::recipe
