// The superblock in front of a dm-verity hash tree, version 1, as cryptsetup writes it (cryptsetup's
// "dm-verity on-disk specification"). Little-endian.
#pragma once

#include <cstdint>

namespace imgforge::target {

struct VeritySuperblock {
  unsigned char signature[8];  ///< "verity", two zero bytes
  std::uint32_t version;
  std::uint32_t hash_type;  ///< 1: the salt comes before the data
  unsigned char uuid[16];
  char algorithm[32];  ///< padded with zero bytes
  std::uint32_t data_block_size;
  std::uint32_t hash_block_size;
  std::uint64_t data_blocks;
  std::uint16_t salt_size;
  unsigned char padding_1[6];
  unsigned char salt[256];
  unsigned char padding_2[168];
};
static_assert(sizeof(VeritySuperblock) == 512);

}  // namespace imgforge::target
