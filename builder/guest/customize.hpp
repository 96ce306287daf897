// Customising: what the recipe wants of the root file system, done in two parts. The operations of the
// table become one archive that is unpacked over the root; then the recipe's own scripts run inside it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "builder/guest/sandbox.hpp"
#include "builder/recipe/recipe.hpp"

namespace imgforge::guest {

struct CustomizeOptions {
  std::int64_t epoch = 0;  ///< modification time of what is written, SOURCE_DATE_EPOCH of scripts
  Seconds step_limit{600};
  /// Told before each run step: its number (from 1) and how many there are. May be empty.
  std::function<void(std::size_t, std::size_t)> on_step;
};

/// Applies all operations and run steps. Returns what run steps wrote that cleaning will take away
/// (clean.hpp). Throws kCustomize with the place in the recipe; a failed run step is quoted with its exit
/// code and last lines, one that does not end is kTimeout.
std::vector<std::string> customize(Sandbox& guest, const recipe::ResolvedRecipe& recipe,
                                   const CustomizeOptions& options);

}  // namespace imgforge::guest
