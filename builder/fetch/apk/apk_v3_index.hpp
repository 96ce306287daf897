// The index of apk 3, under the name of Packages.adb or of APKINDEX.tar.gz. Format: apk-v3(5); slots of the
// objects: apk-tools 3.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/fetch/apk/apk_index.hpp"

namespace imgforge::fetch {

/// The parts of the file; nothing of it was verified or looked into.
struct V3IndexParts {
  std::string database;
  std::vector<std::string> signatures;
};

/// Throws kPackage (not an index of apk 3, cut off), kIntegrity (damaged), kUnsafe (budgets), naming `what`.
V3IndexParts split_v3_index(std::string_view bytes, std::string_view what);

struct V3IndexContent {
  std::string description;
  std::vector<IndexEntry> entries;
};

/// Reads a database whose signature was checked. `arch`: entries must be for it or "noarch". Packages that
/// apk itself could not convert whole (such as from a version of apk 2 that is none of apk 3) are left out.
/// Throws kPackage, kUnsafe.
V3IndexContent parse_v3_index(std::string_view database, std::string_view arch, std::string_view what);

}  // namespace imgforge::fetch
