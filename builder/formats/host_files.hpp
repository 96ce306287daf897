// The boot loaders in a format's images: files of this machine.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "builder/recipe/recipe.hpp"

namespace imgforge::formats {

/// Each file of this machine whose bytes an image of that format holds: as they are, in a boot sector, or as
/// the program that writes them (syslinux). Signed programs hold them too. Throws kMachine when one is not
/// installed.
std::vector<std::filesystem::path> host_files(const recipe::ResolvedRecipe& recipe, std::string_view format);

}  // namespace imgforge::formats
