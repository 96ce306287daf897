// Fuzz targets: each hands hostile bytes to one parser through its public interface. A parser may refuse with
// a core::Error; anything else that leaves it, and kInternal, is a fault. One program holds all of them:
// replay_main.cpp makes a plain test of it (ctest -L fuzz), libfuzzer_main.cpp what ci/fuzz runs for hours if
// wanted.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

namespace imgforge::fuzz {

struct Target {
  std::string_view name;
  void (*run)(std::string_view bytes);
};

/// All targets, by name.
std::span<const Target> targets();
/// Null when there is none of that name.
const Target* find_target(std::string_view name);
/// Runs the target and takes the refusals that a parser may make. Other exceptions pass.
void run_refusable(const Target& target, std::string_view bytes);

/// A file in memory with these bytes, for parsers that open a path; the next call changes it.
const std::filesystem::path& file_of(std::string_view bytes);

}  // namespace imgforge::fuzz
