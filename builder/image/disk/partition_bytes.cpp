#include "builder/image/disk/partition_bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/error.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr std::uint64_t kSector = 512;
constexpr std::uint64_t kMostEntries = 1024;
constexpr std::size_t kHeader = 92;
constexpr std::size_t kEntry = 128;

std::uint64_t little(std::string_view bytes, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i > 0; --i)
    value = value << 8 | static_cast<unsigned char>(bytes[offset + i - 1]);
  return value;
}

/// The first three parts of a GUID are little-endian (UEFI specification, appendix A).
std::string uuid_of(std::string_view bytes) {
  const auto part = [&](std::size_t offset) {
    return static_cast<unsigned>(static_cast<unsigned char>(bytes[offset]));
  };
  std::string text =
      fmt::format("{:08X}-{:04X}-{:04X}-", little(bytes, 0, 4), little(bytes, 4, 2), little(bytes, 6, 2));
  for (std::size_t i = 8; i < 16; ++i) text += fmt::format("{}{:02X}", i == 10 ? "-" : "", part(i));
  return text;
}

}  // namespace

std::vector<BytePartition> partitions_in(const ImageBytes& disk) {
  const std::string header = disk.text(kSector, kHeader);
  if (!header.starts_with("EFI PART") || header.size() != kHeader)
    throw Error(Kind::kImage, "the disk has no partition table (GPT)");
  const std::uint64_t table = little(header, 72, 8);
  const std::uint64_t count = std::min(little(header, 80, 4), kMostEntries);
  const std::uint64_t size = little(header, 84, 4);
  const std::uint64_t room = disk.size() / kSector;
  if (size < kEntry || size > 4096 || table > room)
    throw Error(Kind::kImage, "the partition table of the disk is impossible");
  std::vector<BytePartition> partitions;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string entry = disk.text(table * kSector + i * size, kEntry);
    if (entry.size() != kEntry) throw Error(Kind::kImage, "the partition table of the disk is cut");
    const std::uint64_t first = little(entry, 32, 8);
    const std::uint64_t last = little(entry, 40, 8);
    if (last < first || last >= room) continue;
    partitions.push_back({uuid_of(entry), first * kSector, (last - first + 1) * kSector});
  }
  return partitions;
}

}  // namespace imgforge::image
