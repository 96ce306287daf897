// Writes tar members into an ext4 file system through libext2fs: the part of ext4.hpp that owns the library's
// handle.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "artifacts/tar/tar.hpp"
#include "core/cancel.hpp"

namespace imgforge::image {

class Ext4Writer {
 public:
  static constexpr std::uint64_t kBlockSize = 4096;

  /// Opens the file system that begins `offset` bytes into `image`; `now` is its idea of the current time.
  Ext4Writer(const std::filesystem::path& image, std::uint64_t offset, std::int64_t now);
  /// Abandons: the file system is not consistent then.
  ~Ext4Writer();

  std::uint64_t free_bytes() const;
  /// Adds a member; parents and the targets of hard links come before. `read` gives a file's content as
  /// TarReader::read does. Throws kImage.
  void add(const artifacts::TarEntry& entry, const std::function<std::size_t(std::span<std::byte>)>& read);
  /// Adds a regular file whose content the kernel copies from `source` into its blocks. Throws kImage.
  void add_large(const artifacts::TarEntry& entry, const std::filesystem::path& source,
                 const core::CancelToken& cancel);
  /// Writes all that is still in memory and closes.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace imgforge::image
