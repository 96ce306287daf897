// The configuration that one of Alpine's ISO images takes on when it starts: `<host>.apkovl.tar.gz` at the
// root of the medium. Alpine's initramfs unpacks it over an empty root, then apk installs what etc/apk/world
// names from the medium and keeps the unpacked files. Format:
// https://wiki.alpinelinux.org/wiki/Alpine_local_backup
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "builder/guest/facts.hpp"
#include "builder/recipe/recipe.hpp"

namespace imgforge::guest {

/// "<hostname>.apkovl.tar.gz"; "localhost" when the recipe has no host name.
std::string apkovl_name(const recipe::ResolvedRecipe& recipe);

/// Writes the tar, not compressed yet: everything that the customise operations want, the world file, and the
/// mark that asks the initramfs for Alpine's usual boot services. `facts` is of the root that the medium's
/// packages make; `epoch` the time of all members. Equal arguments give equal bytes. Throws kCustomize at the
/// recipe's place.
void write_apkovl(const recipe::ResolvedRecipe& recipe, const Facts& facts, std::int64_t epoch,
                  const std::filesystem::path& tar);

}  // namespace imgforge::guest
