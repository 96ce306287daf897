// Whether a lock still is what its recipe asks for.
#pragma once

#include <optional>
#include <string>

#include "builder/lock/lock.hpp"
#include "builder/recipe/recipe.hpp"

namespace imgforge::lock {

/// What a profile asks for now.
LockRequest request_of(const recipe::ResolvedRecipe& recipe);

/// A difference between a lock and its recipe, at the recipe's line where it has one.
struct Staleness {
  std::string text;
  std::optional<core::Mark> mark;
};

/// The first difference; none when the lock is what the profile asks for.
std::optional<Staleness> find_staleness(const Lock& lock, const recipe::ResolvedRecipe& recipe);

}  // namespace imgforge::lock
