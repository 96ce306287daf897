// What a recipe may say when its base is one of Alpine's ISO images: the medium keeps its kernel, initramfs
// and boot menu, packages are installed from it when it starts, and nothing of it runs while it is made.
#pragma once

#include "builder/recipe/document/document.hpp"
#include "builder/recipe/recipe.hpp"

namespace imgforge::recipe {

/// Refuses, at its place in the recipe, what an ISO base cannot do; nothing for other bases. `top` is the
/// recipe that `recipe` was read from. Throws kRecipe.
void check_iso_base(const Node& top, const ResolvedRecipe& recipe);

}  // namespace imgforge::recipe
