// What in a recipe is allowed and yet rarely meant: found without starting anything, said by `validate`,
// `plan` and `build`.
#pragma once

#include <string>
#include <vector>

#include "builder/recipe/recipe.hpp"
#include "core/error.hpp"

namespace imgforge::recipe {

struct Advice {
  std::string text;  ///< what will happen
  std::string hint;  ///< what to do about it
  core::Mark mark;   ///< of what it is about; may be empty
};

/// Services that will not work, or not as people expect, scripts that no kernel starts, a kernel that nothing
/// brings. In the recipe's order.
std::vector<Advice> advise(const ResolvedRecipe& recipe);

}  // namespace imgforge::recipe
