// Files that appear whole or not at all: temporary name in the same directory, write, fsync, rename,
// fsync of the directory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "core/fd.hpp"

namespace imgforge::core {

class AtomicFile {
 public:
  /// Creates the temporary file beside `target`, with `mode`.
  explicit AtomicFile(std::filesystem::path target, unsigned mode = 0644);
  /// Discards the temporary file unless committed.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  int fd() const { return fd_.get(); }
  const std::filesystem::path& temporary() const { return temporary_; }
  void write(std::string_view text) { write_all(fd_.get(), text, target_.native()); }
  /// Makes the content durable under its final name, replacing what was there.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  Fd fd_;
};

void write_file_atomically(const std::filesystem::path& target, std::string_view text, unsigned mode = 0644);
/// Makes `link` point to `destination` (a relative text) in one rename, and syncs the directory.
void replace_symlink(const std::filesystem::path& link, const std::filesystem::path& destination);

}  // namespace imgforge::core
