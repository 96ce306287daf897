// Flags that every command about a recipe shares, and the profiles that they select.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "builder/cli/frame/command.hpp"
#include "builder/recipe/recipe.hpp"
#include "core/clock.hpp"
#include "core/digest.hpp"

namespace imgforge::cli {

struct RecipeArguments {
  std::filesystem::path file;
  std::vector<std::string> profiles;
  std::vector<std::string> formats;
  std::vector<std::string> set;
  std::vector<std::string> mirrors;
};

/// Which of a recipe's profiles and formats a command takes. kAll: every one, so there are no flags to
/// choose.
enum class Choice { kOfUser, kAll };

/// Declares RECIPE, --set, --mirror and, where the user may choose, --profile and --format. What it returns
/// must outlive parsing.
std::shared_ptr<RecipeArguments> declare_recipe(OptionSet& set, Choice choice = Choice::kOfUser);

/// The chosen profiles (all when none was named), in the recipe's order, with overrides applied.
std::vector<recipe::ResolvedRecipe> resolve_profiles(const RecipeArguments& arguments,
                                                     core::UnixTime build_time);
/// What recipe::advise has to say of them, each once, as warnings. For JSON: the texts.
std::vector<std::string> warn_of(Context& context, const std::vector<recipe::ResolvedRecipe>& profiles);

}  // namespace imgforge::cli
