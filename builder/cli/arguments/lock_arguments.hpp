// The lock beside a recipe, as commands read, check and write it.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "builder/cli/frame/command.hpp"
#include "builder/lock/compare.hpp"
#include "builder/lock/lock.hpp"
#include "builder/recipe/recipe.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::cli {

/// The lock beside the recipe file, if there is one. Throws kIntegrity when it cannot be read as one.
std::optional<lock::Lock> find_lock(const std::filesystem::path& recipe);
/// The same for commands that need one: kUsage when there is none.
lock::Lock require_lock(const std::filesystem::path& recipe);

/// What a command does about a lock that is not what the recipe asks for any more.
enum class StaleLock { kWarn, kRefuse };
/// Warns, or throws kRecipe at the recipe's line, for each profile that the lock is stale for.
void check_lock(Context& context, const lock::Lock& lock, const std::filesystem::path& recipe,
                const std::vector<recipe::ResolvedRecipe>& profiles, StaleLock stale);

/// "  jq  1.6-r0 -> 1.7-r0" a line; "no change" for none.
std::string changes_text(const std::vector<lock::LockChange>& changes);
core::Json changes_json(const std::vector<lock::LockChange>& changes);

}  // namespace imgforge::cli
