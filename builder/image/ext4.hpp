// An ext4 file system inside a raw image, filled from a tar on the host without root: mke2fs makes it,
// libext2fs writes the members with exactly the owners, modes, times, links, devices and extended attributes
// that the tar tells.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

struct Ext4Options {
  std::string uuid;          ///< of the file system; also seeds its directory hashes
  std::string label;         ///< at most 16 bytes
  std::uint64_t offset = 0;  ///< bytes from the start of the image
  std::uint64_t size = 0;    ///< bytes
  std::int64_t epoch = 0;    ///< the time at which the file system says it was made
};

/// Makes the file system in an existing image file and fills it with the members of `tar`. Equal arguments
/// give equal bytes. Throws kImage with the hint to raise disk.size when it does not fit.
void make_ext4(const std::filesystem::path& tar, const std::filesystem::path& image,
               const Ext4Options& options, core::ProcessRunner& processes, const core::CancelToken& cancel);

}  // namespace imgforge::image
