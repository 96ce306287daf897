// What a GPT looks like on a disk with 512-byte sectors: UEFI specification 5.2.3 (protective MBR), 5.3.2
// (header), 5.3.3 (entries). Numbers are little-endian, as on every machine that this program runs on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace imgforge::target {

inline constexpr std::uint64_t kSectorSize = 512;
inline constexpr std::uint32_t kMostEntries = 128;  ///< what all usual tools reserve
inline constexpr std::uint64_t kEntriesSector = 2;
inline constexpr unsigned char kProtectiveType = 0xEE;

struct MbrPartition {
  unsigned char status;
  unsigned char first_chs[3];
  unsigned char type;
  unsigned char last_chs[3];
  unsigned char first_sector[4];
  unsigned char sectors[4];
};

struct Mbr {
  unsigned char boot_code[446];
  MbrPartition partitions[4];
  unsigned char signature[2];
};
static_assert(sizeof(Mbr) == kSectorSize);

struct GptHeader {
  unsigned char signature[8];
  std::uint32_t revision;
  std::uint32_t header_size;
  std::uint32_t header_crc;  ///< of header_size bytes, with this field zero
  std::uint32_t reserved;
  std::uint64_t own_sector;
  std::uint64_t other_sector;  ///< of the other copy
  std::uint64_t first_usable;
  std::uint64_t last_usable;
  unsigned char disk_uuid[16];
  std::uint64_t entries_sector;
  std::uint32_t entry_count;
  std::uint32_t entry_size;
  std::uint32_t entries_crc;
  unsigned char rest[420];
};
static_assert(sizeof(GptHeader) == kSectorSize);
inline constexpr std::uint32_t kLeastHeaderSize = 92;

struct GptEntry {
  unsigned char type[16];  ///< all zero: unused
  unsigned char uuid[16];
  std::uint64_t first;
  std::uint64_t last;
  std::uint64_t attributes;
  unsigned char name[72];
};
static_assert(sizeof(GptEntry) == 128);

/// The start of the disk as nearly every table lies there.
struct GptFront {
  Mbr mbr;
  GptHeader header;
  GptEntry entries[kMostEntries];
};
static_assert(offsetof(GptFront, entries) == kEntriesSector * kSectorSize);

}  // namespace imgforge::target
