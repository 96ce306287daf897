// Files of one folder by the path of a request. The kernel resolves the path below the folder (openat2(2),
// RESOLVE_BENEATH), so neither ".." nor a symbolic link leads out of it. The folder is opened anew for each
// request: an export that takes its place is served from then on.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "core/fd.hpp"

namespace imgforge::serve {

struct OpenFile {
  core::Fd fd;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  ///< seconds since 1970
  /// Strong validator with its quotes: the sha256 out of SHA256SUMS when the file was not changed since that
  /// was written, else made of size, time and inode.
  std::string etag;
  std::string content_type;
};

enum class Lookup { kFound, kMissing, kFolder };

class StaticFiles {
 public:
  explicit StaticFiles(std::filesystem::path root) : root_(std::move(root)) {}
  /// Opens a regular file. `path` is relative and decoded. kFolder: there is a folder of that name.
  Lookup open(const std::string& path, OpenFile& file);

 private:
  void read_sums(int root);
  std::string etag_of(const std::string& path, const struct stat& status) const;

  std::filesystem::path root_;
  std::string sums_identity_;
  std::int64_t sums_seconds_ = 0;  // when SHA256SUMS was written
  std::int64_t sums_nanoseconds_ = 0;
  std::map<std::string, std::string> sums_;  // path and hex
};

/// By the end of the name; unknown ones are application/octet-stream.
std::string_view content_type_of(std::string_view name);

}  // namespace imgforge::serve
