// The partitions of a disk that is read by its bytes (image_bytes): GPT (UEFI specification, chapter 5), as
// far as it takes to find one. For images that nobody has verified; gpt.hpp checks and writes tables.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/image/image_bytes.hpp"

namespace imgforge::image {

struct BytePartition {
  std::string type_uuid;    ///< in upper case, as in gpt.hpp
  std::uint64_t start = 0;  ///< bytes
  std::uint64_t size = 0;   ///< bytes
};

/// Those of the first table that lie inside the disk, in its order. Throws kImage when there is no table, or
/// an impossible one.
std::vector<BytePartition> partitions_in(const ImageBytes& disk);

}  // namespace imgforge::image
