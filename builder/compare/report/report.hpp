// What was found to differ between two files: a tree, as the files hold each other (disk, partition, file
// system, file), bounded at every level. A value that can be printed as text or JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json_fwd.hpp"

namespace imgforge::compare {

/// One thing that is not the same: a field of a header, a line of a text, a range of bytes.
struct Difference {
  std::string field;                  ///< "disk GUID", "mtime", "line 12", "bytes 4096-4111"
  std::optional<std::string> before;  ///< printable; nothing where it is absent
  std::optional<std::string> after;
};

/// A container or file, with what differs in it.
struct Node {
  static constexpr std::size_t kMostDifferences = 24;
  static constexpr std::size_t kMostParts = 40;

  std::string name;  ///< "partition 2 (root)", "/etc/hostname"
  std::string kind;  ///< "ext4", "qcow2", "text"; empty when it is not known
  std::vector<Difference> differences = {};
  std::vector<Node> parts = {};
  std::string note = {};      ///< why it was not looked into; empty: it was
  std::uint64_t omitted = 0;  ///< differences and parts that are not told, beyond the bounds

  bool empty() const { return differences.empty() && parts.empty() && omitted == 0; }
  /// Notes a difference, or counts it when there are many already.
  void add(std::string field, std::optional<std::string> before, std::optional<std::string> after);
  /// Notes a part that differs; an empty one is dropped.
  void add(Node part);
  bool has_room() const { return parts.size() < kMostParts; }
};

/// Lines, indented as the parts hold each other.
std::string as_text(const Node& node);
core::Json as_json(const Node& node);

}  // namespace imgforge::compare
