// How recipes are layered: defaults, the recipe, one profile, then --set. A layer is a tree like a recipe
// whose lists replace, extend (`+add`) or shorten (`-add`) those below it.
#pragma once

#include <string>

#include "builder/recipe/document/document.hpp"
#include "builder/recipe/schema/schema.hpp"

namespace imgforge::recipe {

/// `base` with `overlay` over it. Mappings merge key by key, texts and plain lists are replaced. Both were
/// checked. Throws kRecipe when `-list` names an item that is not there.
Node merged(const Node& base, const Node& overlay);

/// Fills in the table's defaults at every level.
Node with_defaults(const Node& top);

/// Throws kRecipe for a required field that no layer gives.
void check_required(const Node& top);

/// The overlay of one `--set path=value`. A list's items are separated by commas. Throws kRecipe marked in
/// the text of the option (file "--set").
Node parse_override(const std::string& option);

}  // namespace imgforge::recipe
