// Host files that a recipe names: found below the recipe's folder, never outside it.
#pragma once

#include <filesystem>
#include <string>

#include "builder/recipe/document.hpp"

namespace imgforge::recipe {

/// Largest `files.source`.
constexpr std::uint64_t kMaxSourceBytes = 64ull << 20;

/// Absolute path of the file that `name` stands for below `folder`. Throws at the node: kUnsafe when a
/// symbolic link leads out of the folder, kRecipe when there is no such regular file.
std::filesystem::path find_source(const Node& name, const std::filesystem::path& folder);

/// Text of a file found by `find_source`. Throws at the node: kUnsafe when it is too large, kPermission, kIo.
std::string read_source(const Node& name, const std::filesystem::path& file);

}  // namespace imgforge::recipe
