// The service of the shared folder in an image: which files and links make it. Pure; builder/guest writes
// them.
#pragma once

#include <string>
#include <vector>

#include "builder/first_boot/installation.hpp"
#include "builder/recipe/recipe.hpp"
#include "core/digest.hpp"

namespace imgforge::shared_folder {

/// What an image with this section gets.
first_boot::Installation installation(const recipe::SharedFolder& section, first_boot::Init init);
/// Every path that any installation of the section may write.
std::vector<std::string> paths(const recipe::SharedFolder& section);
/// sha256 of everything that imgforge itself brings: images are made anew when it changes.
core::Digest resources_digest();

}  // namespace imgforge::shared_folder
