#include "builder/cli/arguments/lock_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/lock/stale.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

constexpr std::uint64_t kLockLimit = std::uint64_t{64} << 20;

}  // namespace

std::optional<lock::Lock> find_lock(const std::filesystem::path& recipe) {
  const std::filesystem::path path = lock::lock_path(recipe);
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, error))) return std::nullopt;
  return lock::parse_lock(core::read_text_file(path, kLockLimit), path.native());
}

lock::Lock require_lock(const std::filesystem::path& recipe) {
  if (auto lock = find_lock(recipe)) return *std::move(lock);
  throw core::Error(core::Kind::kUsage, lock::lock_path(recipe).native() + " does not exist")
      .hint("imgforge lock " + recipe.native() + " writes it");
}

void check_lock(Context& context, const lock::Lock& lock, const std::filesystem::path& recipe,
                const std::vector<recipe::ResolvedRecipe>& profiles, StaleLock stale) {
  for (const recipe::ResolvedRecipe& profile : profiles) {
    const auto found = lock::find_staleness(lock, profile);
    if (!found) continue;
    const std::string path = lock::lock_path(recipe).native();
    if (stale == StaleLock::kRefuse) {
      core::Error error(core::Kind::kRecipe,
                        fmt::format("{} is stale for {}: {}", path, profile.line(), found->text));
      if (found->mark) error.at(*found->mark);
      throw error.hint("imgforge lock " + recipe.native() + " renews it");
    }
    context.progress.warn(
        fmt::format("{} is not used for {}, it is stale: {}", path, profile.line(), found->text));
  }
}

std::string changes_text(const std::vector<lock::LockChange>& changes) {
  if (changes.empty()) return "no change\n";
  std::size_t width = 0;
  for (const lock::LockChange& change : changes) width = std::max(width, change.name.size());
  std::string text;
  for (const lock::LockChange& change : changes) {
    const std::string what = change.before.empty()  ? "new, " + change.after
                             : change.after.empty() ? "gone, was " + change.before
                                                    : change.before + " -> " + change.after;
    text += fmt::format("  {:<{}}  {}\n", change.name, width, what);
  }
  return text;
}

core::Json changes_json(const std::vector<lock::LockChange>& changes) {
  core::Json rows = core::Json::array();
  for (const lock::LockChange& change : changes)
    rows.push_back({{"name", change.name}, {"before", change.before}, {"after", change.after}});
  return rows;
}

}  // namespace imgforge::cli
