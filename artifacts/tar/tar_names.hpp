// What an archive has named so far: the in-memory tree against which later members are judged. It finds
// duplicates, sends members below a symlink to where the link leads inside the archive, and refuses those
// that would leave it.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "artifacts/tar/tar.hpp"

namespace imgforge::artifacts {

class TarNames {
 public:
  /// The clean path at which a member of this clean name lands, symlinks among its parents resolved. A link
  /// must lead to a folder that is in the archive: kUnsafe otherwise; a file as parent is kArchive.
  std::string resolve_parents(std::string_view path) const;
  /// Records a member. Throws kArchive "duplicate entry" (only a folder may come again).
  void add(const TarEntry& entry);
  /// True when `path` was stored as a file (or as a further name of one).
  bool is_file(const std::string& path) const;

 private:
  struct Node {
    EntryType type;
    std::string target;  // of a symlink
  };
  const Node* find(const std::string& path) const;
  void walk(std::string& position, std::string_view path, unsigned& links) const;

  std::unordered_map<std::string, Node> nodes_;
};

}  // namespace imgforge::artifacts
