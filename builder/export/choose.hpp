// Which releases of a store are exported. Whoever wants another choice changes it here.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/store/store.hpp"

namespace imgforge::exports {

/// A release as its unchecked manifest describes it.
struct Candidate {
  std::string line;
  std::string version;
  std::filesystem::path directory;
  bool is_unsigned = false;
};

/// Of every line: the release that `current` names, then those that were built before it, newest first. A
/// release that was rolled back from stays out, since clients take the newest that they find. `keep_last` (0:
/// all) limits how many come of a line. Throws kIntegrity when a manifest cannot be read.
std::vector<Candidate> choose_releases(const artifacts::Store& store, std::size_t keep_last);

}  // namespace imgforge::exports
