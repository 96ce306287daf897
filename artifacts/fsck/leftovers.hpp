// What killed runs leave in a store and nobody owns: staging folders and temporary names beside files and
// links.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/store/store.hpp"

namespace imgforge::artifacts {

/// True for ".<name>.<process>.<8 hex digits>", as core::AtomicFile and core::replace_symlink name what is
/// not finished.
bool is_temporary_name(std::string_view name);

struct Leftover {
  std::filesystem::path path;
  std::uint64_t stored = 0;  ///< bytes of its blocks
};

struct CleanOptions {
  bool dry_run = false;
  /// Also folders `*-build-*` in the store's root, which earlier tools left. Nothing says whether somebody
  /// still uses them, so they are not touched unasked.
  bool earlier_tools = false;
  ChangeOptions change;
};

struct CleanResult {
  std::vector<Leftover> removed;  ///< or what would be
  std::vector<std::string> warnings;
};

/// Removes leftovers under the store's lock. Staging folders whose process lives stay. Never looks into
/// releases or archive.
CleanResult clean(const Store& store, const CleanOptions& options);

}  // namespace imgforge::artifacts
