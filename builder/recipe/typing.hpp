// The last step of resolving: a complete, checked tree becomes a ResolvedRecipe, and what only shows with
// everything in view (sizes that cannot work, two things at one path) is refused.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "builder/recipe/document/document.hpp"
#include "builder/recipe/document/source_files.hpp"
#include "builder/recipe/recipe.hpp"
#include "core/clock.hpp"

namespace imgforge::recipe {

struct TypingContext {
  std::string profile;
  std::filesystem::path folder;  ///< of the recipe, absolute
  core::UnixTime build_time;
  CopiedFiles& copied_files;
};

/// `top` has defaults filled in and required fields present. Errors as for `resolve`.
ResolvedRecipe typed(const Node& top, const TypingContext& context);

/// The items of a list in a record, and their texts; none when the record has no such list.
const std::vector<Node>& items_of(const Node& record, std::string_view key);
std::vector<std::string> texts(const Node& record, std::string_view key);

std::string without_trailing_slash(std::string url);

}  // namespace imgforge::recipe
