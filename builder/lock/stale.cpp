#include "builder/lock/stale.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace imgforge::lock {
namespace {

std::vector<std::string> values_of(const std::vector<recipe::Marked>& marked) {
  std::vector<std::string> values;
  for (const recipe::Marked& value : marked) values.push_back(value.value);
  return values;
}

/// "name source sha256:..." of each model, at its place.
std::vector<recipe::Marked> models_of(const recipe::ResolvedRecipe& recipe) {
  std::vector<recipe::Marked> models;
  for (const recipe::Model& model : recipe.models) {
    const std::string pin = model.sha256 ? " " + model.sha256->to_string() : "";
    models.push_back(
        {fmt::format("{} {} {}{}", recipe::time_word(model.when), model.name, model.source.text, pin),
         model.mark});
  }
  return models;
}

bool has(const std::vector<std::string>& values, const std::string& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

std::optional<Staleness> difference(const std::vector<recipe::Marked>& now,
                                    const std::vector<std::string>& locked, const std::string& what) {
  for (const recipe::Marked& value : now) {
    if (!has(locked, value.value))
      return Staleness{what + " \"" + value.value + "\" is not in the lock", value.mark};
  }
  const std::vector<std::string> values = values_of(now);
  for (const std::string& value : locked) {
    if (!has(values, value))
      return Staleness{"the lock has " + what + " \"" + value + "\", the recipe does not", {}};
  }
  return std::nullopt;
}

}  // namespace

LockRequest request_of(const recipe::ResolvedRecipe& recipe) {
  LockRequest request;
  if (const auto* alpine = std::get_if<recipe::AlpineBase>(&recipe.base)) {
    request.base = fmt::format("alpine {} {} {}", alpine->release, alpine->arch, alpine->flavor);
    if (alpine->digest) request.base += " " + alpine->digest->to_string();
  } else {
    request.base = "embedded";
  }
  request.repositories = values_of(recipe.packages.repositories);
  request.add = values_of(recipe.packages.add);
  request.remove = values_of(recipe.packages.remove);
  request.models = values_of(models_of(recipe));
  return request;
}

std::optional<Staleness> find_staleness(const Lock& lock, const recipe::ResolvedRecipe& recipe) {
  const LockedProfile* profile = lock.find_profile(recipe.profile);
  if (profile == nullptr) return Staleness{"profile \"" + recipe.profile + "\" is not in the lock", {}};
  const LockRequest now = request_of(recipe);
  if (now.base != profile->request.base) {
    const auto* alpine = std::get_if<recipe::AlpineBase>(&recipe.base);
    return Staleness{fmt::format("the base is {}, the lock has {}", now.base, profile->request.base),
                     alpine == nullptr ? std::nullopt : std::optional(alpine->mark)};
  }
  if (auto found = difference(recipe.packages.repositories, profile->request.repositories, "repository"))
    return found;
  if (auto found = difference(recipe.packages.add, profile->request.add, "package")) return found;
  if (auto found = difference(recipe.packages.remove, profile->request.remove, "removed package"))
    return found;
  if (auto found = difference(models_of(recipe), profile->request.models, "model")) return found;
  // The order of repositories decides which one a package comes from.
  if (now.repositories != profile->request.repositories)
    return Staleness{"the repositories are in another order than in the lock", {}};
  return std::nullopt;
}

}  // namespace imgforge::lock
