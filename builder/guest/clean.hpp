// What an image must not carry: an identity that several machines would share, traces of the build, and
// noise that would make two equal builds differ. One record per kind of trace; the table is also
// documentation.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "builder/guest/sandbox.hpp"
#include "builder/recipe/recipe.hpp"

namespace imgforge::guest {

struct CleanUp {
  enum class How {
    kRemove,      ///< whatever matches goes
    kEmpty,       ///< files that are there become empty
    kRemoveFiles  ///< files below go, folders stay
  };
  std::string_view name;
  std::string_view description;
  How how = How::kRemove;
  std::string_view paths;  ///< patterns of the shell, separated by spaces; absolute
  /// Whoever wrote one of these in a run step may have meant to keep it, and is told.
  bool is_told = false;
};

/// All clean-ups, in their order.
std::span<const CleanUp> clean_ups();

/// The script that does them. What files, directories and links of the recipe name stays.
std::string clean_script(const recipe::ResolvedRecipe& recipe);

/// What the clean-ups that are told of would take away now: absolute paths, sorted.
std::vector<std::string> find_traces(Sandbox& guest, const recipe::ResolvedRecipe& recipe);

/// Does them all. The guest's programs cannot be run afterwards: the private folder goes too.
void clean_identity(Sandbox& guest, const recipe::ResolvedRecipe& recipe);

}  // namespace imgforge::guest
