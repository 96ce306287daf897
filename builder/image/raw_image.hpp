// The raw disk image while it is being made: a new sparse file that disappears again unless it is kept.
#pragma once

#include <filesystem>
#include <string_view>

#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/new_file.hpp"

namespace imgforge::image {

constexpr std::uint64_t kSectorSize = 512;
constexpr std::uint64_t kMebibyte = 1u << 20;

/// `value` rounded up to a whole number of `unit`s.
constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

class RawImage {
 public:
  /// Creates `path` (which must not exist) as a hole of `size` bytes, into which others write by its name.
  RawImage(std::filesystem::path path, core::Bytes size);

  const std::filesystem::path& path() const { return file_.path(); }
  core::Bytes size() const { return size_; }
  /// The image is whole. Without this the destructor removes it.
  void keep() { file_.keep(); }

 private:
  core::NewFile file_;
  core::Bytes size_;
};

/// Copies a whole file into an existing image, `offset` bytes behind its start; shares the blocks where the
/// file system can. Throws kIo, kNoSpace.
void copy_into_image(const std::filesystem::path& source, const std::filesystem::path& image,
                     std::uint64_t offset, const core::CancelToken& cancel);

/// Copies a part of a file into another; the kernel does it where it can. Throws as above, naming `name`.
void copy_range(int from, std::uint64_t source, int to, std::uint64_t target, std::uint64_t size,
                const core::CancelToken& cancel, std::string_view name);

}  // namespace imgforge::image
