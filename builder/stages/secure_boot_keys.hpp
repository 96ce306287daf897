// The Secure Boot keys that a recipe names: where they are, and what of them shapes an image's bytes.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "builder/recipe/recipe.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::stages {

struct SecureBootKeys {
  std::filesystem::path folder;
  std::map<std::string, std::string>
      digests;  ///< of what goes into images: the certificate of db, enrolment files
};

/// Where keys are: `keys_dir`/NAME.secure-boot for a name, below `folder` for a path (with a slash).
std::filesystem::path secure_boot_folder(const std::filesystem::path& keys_dir,
                                         const std::filesystem::path& folder, const std::string& keys);

/// None when the recipe does not ask for Secure Boot. Throws kRecipe, with the place in the recipe, when the
/// keys are not there.
std::optional<SecureBootKeys> find_secure_boot_keys(const Toolbox& tools,
                                                    const recipe::ResolvedRecipe& recipe);

}  // namespace imgforge::stages
