// First boot in an image: which files and links make it. Pure; builder/guest writes them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/recipe/recipe.hpp"
#include "core/digest.hpp"

namespace imgforge::first_boot {

/// What starts services in the image.
enum class Init {
  kOpenRc,
  kLocalScripts,  ///< /etc/local.d/*.start, as the embedded base has it
};

struct File {
  std::string path;
  std::string content;
  std::uint32_t mode = 0644;
};

struct Link {
  std::string path;
  std::string target;
  bool optional = false;  ///< left out when the path is taken
};

struct Installation {
  std::vector<std::string> directories;
  std::vector<File> files;
  std::vector<Link> links;
};

/// What an image with this section gets.
Installation installation(const recipe::FirstBoot& section, Init init);
/// Every path of it.
std::vector<std::string> paths(const Installation& all);
/// Every path that any installation of the section may write.
std::vector<std::string> paths(const recipe::FirstBoot& section);
/// sha256 of everything that imgforge itself brings: images are made anew when it changes.
core::Digest resources_digest();

/// The file settings: shell assignments that the scripts read.
std::string settings_text(const recipe::FirstBoot& section);

}  // namespace imgforge::first_boot
