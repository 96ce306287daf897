// The block map of an image: which blocks must be written to a stick, with checksums, so that bmaptool writes
// it fast and checks what it wrote. Format: bmap 2.0, the XML that bmap-tools (Intel, later Yocto) reads and
// writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/image/fs/ext4.hpp"
#include "core/cancel.hpp"

namespace imgforge::image {

/// The map of `image`: all of it but the whole blocks inside `unused`, in ranges of at most 64 MiB, each with
/// its sha256. Holes do not decide what is mapped, because a zero can matter on a stick that held something
/// else before.
std::string make_bmap(const std::filesystem::path& image, const std::vector<ByteRange>& unused,
                      const core::CancelToken& cancel);

/// Reads a map and compares every range with the image. Returns the number of mapped blocks. Throws kImage
/// when the map is malformed or of an image of another size, or when a checksum differs.
std::uint64_t check_bmap(const std::filesystem::path& bmap, const std::filesystem::path& image,
                         const core::CancelToken& cancel);

}  // namespace imgforge::image
