// An ext4 file system inside a raw image, filled from a tar on the host without root: mke2fs makes it,
// libext2fs writes the members with exactly the owners, modes, times, links, devices and extended attributes
// that the tar tells. The code is in ext4.cpp and ext4_reader.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/image/fs/root_tree.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

struct Ext4Options {
  std::string uuid;                ///< of the file system; also seeds its directory hashes
  std::string label;               ///< at most 16 bytes
  std::uint64_t offset = 0;        ///< bytes from the start of the image
  std::uint64_t size = 0;          ///< bytes
  std::int64_t epoch = 0;          ///< the time at which the file system says it was made
  std::uint64_t largest_size = 0;  ///< bytes that it can grow to while mounted; 0: mke2fs decides
};

/// Makes the file system in an existing image file and fills it with the members of `tree`. Equal arguments
/// give equal bytes. Throws kImage with the hint to raise disk.size when it does not fit.
void make_ext4(const RootTree& tree, const std::filesystem::path& image, const Ext4Options& options,
               core::ProcessRunner& processes, const core::CancelToken& cancel);

/// Makes an empty file system. Throws kImage.
void make_empty_ext4(const std::filesystem::path& image, const Ext4Options& options,
                     core::ProcessRunner& processes, const core::CancelToken& cancel);

/// A part of a file, in bytes.
struct ByteRange {
  std::uint64_t start = 0;
  std::uint64_t size = 0;
};

/// Parts of the image that the file system at `offset` does not use, by its own block bitmap, in rising
/// order: what they hold does not matter. Throws kImage.
std::vector<ByteRange> unused_ext4_ranges(const std::filesystem::path& image, std::uint64_t offset);

}  // namespace imgforge::image
