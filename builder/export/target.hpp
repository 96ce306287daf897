// The folder that an export replaces: is it ours to replace, and the one system call that does it.
#pragma once

#include <filesystem>
#include <set>
#include <string>

namespace imgforge::exports {

/// Marks a folder as made by an export and lists every file of it.
constexpr const char* kMarkerFile = ".imgforge-export";

/// Text of the marker for these files.
std::string print_marker(const std::set<std::string>& files);

/// Throws kStore unless `target` is missing, empty, or holds nothing but what its marker lists.
void check_target(const std::filesystem::path& target);

/// Puts the folder `tree` at `target`. What was there is at `tree` afterwards. Both must be on one file
/// system. Throws kIo; then nothing has changed.
void swap_into_place(const std::filesystem::path& tree, const std::filesystem::path& target);

}  // namespace imgforge::exports
