// Host files that a recipe names: found below the recipe's folder, never outside it.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "builder/recipe/document/document.hpp"
#include "core/content.hpp"

namespace imgforge::recipe {

/// Largest source that is a template or a key.
constexpr std::uint64_t kMaxSourceBytes = 64ull << 20;
/// Largest one that is copied as it is.
constexpr std::uint64_t kMaxCopiedBytes = 16ull << 30;

/// Absolute path of the file that `name` stands for below `folder`. Throws at the node: kUnsafe when a
/// symbolic link leads out of the folder, kRecipe when there is no such regular file.
std::filesystem::path find_source(const Node& name, const std::filesystem::path& folder);

/// Whether the canonical path `file` lies in `folder`.
bool is_beneath(const std::filesystem::path& file, const std::filesystem::path& folder);

/// Text of a file found by `find_source`. Throws at the node: kUnsafe when it is too large, kPermission, kIo.
std::string read_source(const Node& name, const std::filesystem::path& file);

/// Files that profiles of a recipe copy as they are, each read or hashed once.
class CopiedFiles {
 public:
  /// A file found by `find_source`. Throws at the node: kUnsafe when it is too large, kPermission, kIo.
  const core::Content& at(const Node& name, const std::filesystem::path& file);

 private:
  std::map<std::filesystem::path, core::Content> files_;
};

}  // namespace imgforge::recipe
