// Everything that customising writes, collected on the host and unpacked over the root in one go. It knows
// where links of the guest lead, makes missing folders, and refuses what would damage the root: a file in
// place of a folder, a folder below a file, two entries at one path.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "artifacts/tar/tar.hpp"
#include "builder/guest/facts.hpp"
#include "core/content.hpp"
#include "core/error.hpp"

namespace imgforge::guest {

struct Ownership {
  std::uint32_t mode = 0644;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

class Overlay {
 public:
  /// `time` is the modification time of all entries (seconds since the epoch).
  Overlay(const Facts& facts, std::int64_t time) : facts_(facts), time_(time) {}

  /// Each throws kCustomize at `mark` (which may be empty: no place in the recipe) when it would damage the
  /// root.
  void add_directory(const std::string& path, Ownership owner, const core::Mark& mark = {});
  void add_file(const std::string& path, core::Content content, Ownership owner, const core::Mark& mark = {});
  void add_link(const std::string& path, const std::string& target, const core::Mark& mark = {});

  /// True when something was added at that very path.
  bool has(const std::string& path) const;
  /// The regular file added at that path, if any.
  const artifacts::TarEntry* file_at(const std::string& path) const;
  bool empty() const { return nodes_.empty(); }
  /// Writes the collected entries to `fd`.
  void write(int fd, std::string_view name) const;

 private:
  struct Node {
    artifacts::TarEntry entry;
    core::Content content;
    bool implicit = false;  ///< a folder made because something is below it
  };
  struct Resolved {
    std::string real;          ///< the path without links, as far as it exists
    std::size_t existing = 0;  ///< length of the part of `real` that is a folder of the image
  };
  Resolved resolve(const std::string& path, const core::Mark& mark) const;
  Node& place(const std::string& path, artifacts::EntryType type, Ownership owner, const core::Mark& mark);
  void add_parents(const Resolved& path, const core::Mark& mark);

  const Facts& facts_;
  const std::int64_t time_;
  std::map<std::string, Node, std::less<>> nodes_;  ///< by absolute path without links
};

}  // namespace imgforge::guest
