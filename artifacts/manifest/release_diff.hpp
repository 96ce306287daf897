// What differs between two releases, going by their manifests alone: a value that can be printed as text,
// JSON or release notes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"

namespace imgforge::artifacts {

enum class Change { kAdded, kRemoved, kChanged };
/// "added", "removed", "changed".
std::string_view change_name(Change change);

/// Something that is not the same on both sides. A side on which it is absent is empty.
struct DiffRow {
  std::string name;
  std::string before;
  std::string after;
  Change change = Change::kChanged;
  bool operator==(const DiffRow&) const = default;
};

struct ReleaseDiff {
  std::vector<DiffRow> fields;     ///< of the manifest, boot configuration among them
  std::vector<DiffRow> packages;   ///< name and versions
  std::vector<DiffRow> artifacts;  ///< name without version, sizes; also equal sizes with other bytes
  std::vector<DiffRow> boots;      ///< "qcow2 disk BIOS", seconds to the last marker
  bool empty() const { return fields.empty() && packages.empty() && artifacts.empty() && boots.empty(); }
};

ReleaseDiff diff_releases(const Manifest& before, const Manifest& after);
/// The rows for two maps of names and values, by name.
std::vector<DiffRow> diff_values(const std::map<std::string, std::string>& before,
                                 const std::map<std::string, std::string>& after);

}  // namespace imgforge::artifacts
