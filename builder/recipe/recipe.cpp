#include "builder/recipe/recipe.hpp"

namespace imgforge::recipe {

std::string ResolvedRecipe::line() const {
  return profile.empty() ? name : name + "-" + profile;
}

const AlpineBase* ResolvedRecipe::iso_base() const {
  const auto* alpine = std::get_if<AlpineBase>(&base);
  return alpine != nullptr && alpine->is_iso() ? alpine : nullptr;
}

ResolvedRecipe::ResolvedRecipe() = default;
ResolvedRecipe::ResolvedRecipe(const ResolvedRecipe&) = default;
ResolvedRecipe::ResolvedRecipe(ResolvedRecipe&&) noexcept = default;
ResolvedRecipe& ResolvedRecipe::operator=(const ResolvedRecipe&) = default;
ResolvedRecipe& ResolvedRecipe::operator=(ResolvedRecipe&&) noexcept = default;
ResolvedRecipe::~ResolvedRecipe() = default;

}  // namespace imgforge::recipe
