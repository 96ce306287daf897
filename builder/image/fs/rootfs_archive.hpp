// A root file system tar as something to look things up in: paths are resolved through the symbolic links
// inside the archive (lib -> usr/lib and the like), contents are read in one pass for as many files as asked.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/tar/tar.hpp"

namespace imgforge::image {

/// Policy under which the host side reads a root file system that imgforge itself normalised.
artifacts::TarPolicy rootfs_policy();

/// Where apk's database of installed packages lies, the first that is there: with a merged /usr the folder
/// lib is a link, or is not there.
inline constexpr std::array<std::string_view, 2> kPackageDatabases{"lib/apk/db/installed",
                                                                   "usr/lib/apk/db/installed"};

class RootfsArchive {
 public:
  /// Reads all headers. Throws what TarReader throws.
  explicit RootfsArchive(std::filesystem::path tar);

  /// Path of the file or directory that `path` ("lib/libc.so" or "/lib/libc.so") leads to, links followed
  /// inside the archive; empty when there is none.
  std::optional<std::string> resolve(std::string_view path) const;
  /// Names directly inside a directory (links followed), sorted.
  std::vector<std::string> list(std::string_view directory) const;
  /// Resolved paths of all files below a resolved directory, sorted.
  std::vector<std::string> files_below(std::string_view directory) const;
  /// Contents of resolved paths of files. More than `limit` bytes in one file is kImage.
  std::map<std::string, std::string> read(const std::set<std::string>& paths,
                                          std::uint64_t limit = 256u << 20) const;

  const std::filesystem::path& tar() const { return tar_; }

 private:
  struct Node {
    artifacts::EntryType type;
    std::string link_target;
  };
  std::filesystem::path tar_;
  std::map<std::string, Node, std::less<>> nodes_;
};

}  // namespace imgforge::image
