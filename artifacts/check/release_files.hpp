// Small steps that archive, restore and backup share: copies of a release's files that are durable before
// anything counts on them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"

namespace imgforge::artifacts {

/// Reads the manifest of a release folder strictly and compares it with the name it should have (kIntegrity).
Manifest read_release_manifest(const std::filesystem::path& directory, const std::string& line,
                               const std::string& version);

/// Those of manifest.json, SHA256SUMS, their signatures and companions that are there. The manifest must be
/// (kIntegrity).
std::vector<std::string> signed_files(const std::filesystem::path& directory);

/// Mode 0444 and fsync of a finished file.
void seal_file(const std::filesystem::path& path);

/// Copies a file (cloned where the file system can) and seals the copy.
void copy_sealed(const std::filesystem::path& source, const std::filesystem::path& target);

/// Throws kIntegrity unless both folders have the same bytes under each of these small names.
void compare_small(const std::filesystem::path& a, const std::filesystem::path& b,
                   const std::vector<std::string>& names);

/// Throws with the kind and text of the first file that is not as the manifest says; sha256 alone, all cores.
void require_intact(const std::filesystem::path& directory, const Manifest& manifest);

/// Renames a finished folder to a name that must be free, then syncs both parents. kStore when it is not.
void move_into_place(const std::filesystem::path& from, const std::filesystem::path& to);

/// Exchanges a finished folder with the one that has its name, in one step, so that what leads there always
/// leads somewhere; then syncs both parents.
void change_places(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace imgforge::artifacts
