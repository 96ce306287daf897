// Making locks: what the profiles of a recipe are made of now, resolved, fetched and written down; and the
// newest state of the mirrors beside a lock.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/lock/lock.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::steps {

/// What may move when a lock is made beside an older one.
struct Moving {
  const lock::Lock& old;
  std::vector<std::string> packages;  ///< names; the base stays, too
};

/// Resolves every profile and fetches all that it needs. `recipe` is the recipe's file name. With `moving`,
/// packages that are not named keep their locked version; kPackage when that cannot be or nothing of that
/// name is locked. Throws as a build does.
lock::Lock make_lock(stages::Toolbox& tools, const std::string& recipe,
                     const std::vector<recipe::ResolvedRecipe>& profiles,
                     const std::optional<Moving>& moving);

/// A package or base that the mirrors have in another version than the lock.
struct Outdated {
  std::string name;
  std::string locked;
  std::string newest;  ///< empty: the mirrors no longer have it at all
  std::vector<std::string> profiles;
};

/// Compares by the indexes alone; the appliance is not started. In order of names, bases first.
std::vector<Outdated> find_outdated(stages::Toolbox& tools, const lock::Lock& lock,
                                    const std::vector<recipe::ResolvedRecipe>& profiles);

}  // namespace imgforge::steps
