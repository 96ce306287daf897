// apk's database of what is installed (lib/apk/db/installed of a root file system): records as in an index,
// and after each the lines of its files. It comes out of an image in which programs of packages and recipes
// ran, so it is read as strictly as an index. The code is in apk_index_text.cpp, as both have one form of
// records; that of the files in apk_installed_files.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "builder/fetch/apk/apk_index.hpp"

namespace imgforge::fetch {

constexpr std::uint64_t kMaxInstalledBytes = std::uint64_t{64} << 20;
constexpr std::size_t kMaxInstalled = 10'000;

/// The installed packages in the order of the database; its virtual packages (".name", which only stand for
/// what they depend on) are left out. Throws kPackage with the line (malformed, a needed field missing, a
/// name twice), kUnsafe beyond the bounds; `what` names the database in messages.
std::vector<IndexEntry> parse_installed(std::string_view text, std::string_view what);

constexpr std::size_t kMaxInstalledFiles = 1'000'000;

/// A file or link of an installed package.
struct InstalledFile {
  std::string folder;  ///< without slashes around it; empty: the root directory
  std::string name;
  std::string package;
  /// What it was when the package came: 20 bytes of SHA-1 or SHA-256 (nothing tells which), or 32 of SHA-256;
  /// of a link that of its target. Empty: the database does not say.
  core::Digest content;
};

/// The files of all packages, in the order of the database. Throws as parse_installed does, also for paths
/// that lead out of the root.
std::vector<InstalledFile> parse_installed_files(std::string_view text, std::string_view what);

}  // namespace imgforge::fetch
