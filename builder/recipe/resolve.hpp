// From a recipe file to the value that the planner works with: loads and checks the file, lays profile and
// --set over it, expands templates, reads the files that it names, and types every field.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "builder/recipe/document/document.hpp"
#include "builder/recipe/document/source_files.hpp"
#include "builder/recipe/recipe.hpp"
#include "core/clock.hpp"

namespace imgforge::recipe {

/// A recipe file that was read and checked against the field table; profiles are not applied yet.
class Recipe {
 public:
  /// Checks a parsed recipe. `folder` is where `files.source` and keys are looked up.
  Recipe(Document document, std::filesystem::path folder);

  const std::string& name() const;
  const std::string& description() const;
  /// Names of the profiles in the order of the file; one empty name for a recipe without profiles.
  std::vector<std::string> profiles() const;
  /// A profile's own description, or the recipe's.
  const std::string& description_of(const std::string& profile) const;

  const Node& root() const { return document_.root(); }
  /// Absolute.
  const std::filesystem::path& folder() const { return folder_; }
  CopiedFiles& copied_files() const { return *copied_files_; }

 private:
  Document document_;
  std::filesystem::path folder_;
  std::shared_ptr<CopiedFiles> copied_files_ = std::make_shared<CopiedFiles>();
};

/// The files that a recipe copies or trusts, as it names them: `files.source` and `packages.keys`, without
/// profiles.
std::vector<std::string> named_files(const Recipe& recipe);

/// Reads and checks a recipe file. Throws kRecipe (kPermission when it cannot be read).
Recipe load_recipe(const std::filesystem::path& path);
/// The same for a text; `name` stands for the file in messages.
Recipe parse_recipe(std::string_view text, std::string name, std::filesystem::path folder);

struct ResolveOptions {
  std::vector<std::string> set{};      ///< "path=value", applied in order after the profile
  core::UnixTime build_time{};         ///< gives `version: date`
  std::vector<std::string> mirrors{};  ///< `--mirror`: take the place of the recipe's mirrors unless empty
};

/// One profile with all layers applied. `profile` is a name of `Recipe::profiles()`. Throws kUsage for an
/// unknown profile, kRecipe for what is wrong in the recipe or an option, kUnsafe for a source that leads out
/// of the recipe's folder or is too large, kPermission for one that cannot be read.
ResolvedRecipe resolve(const Recipe& recipe, const std::string& profile, const ResolveOptions& options);

}  // namespace imgforge::recipe
