// early grow: gives the last partition the room that a disk gained. Every check comes before the first write.
#include <linux/blkpg.h>

#include "builder/target/early/commands.hpp"
#include "builder/target/early/crc32.hpp"
#include "builder/target/early/device.hpp"
#include "builder/target/early/gpt_format.hpp"
#include "builder/target/runtime/system_calls.hpp"
#include "builder/target/runtime/text.hpp"

namespace imgforge::target {
namespace {

constexpr unsigned char kSignature[8] = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'};
constexpr std::uint32_t kRevision = 0x00010000;

template <std::size_t Size>
bool same_bytes(const unsigned char (&left)[Size], const unsigned char (&right)[Size]) {
  return __builtin_memcmp(left, right, Size) == 0;
}

std::uint32_t header_crc(const GptHeader& header) {
  GptHeader copy = header;
  copy.header_crc = 0;
  return crc32(&copy, header.header_size);
}

std::uint64_t sectors_of_entries(const GptHeader& header) {
  return (header.entry_count * sizeof(GptEntry) + kSectorSize - 1) / kSectorSize;
}

bool is_used(const GptEntry& entry) {
  constexpr unsigned char kUnused[16] = {};
  return !same_bytes(entry.type, kUnused);
}

void put_32(unsigned char (&target)[4], std::uint32_t value) {
  for (unsigned i = 0; i < 4; ++i) target[i] = static_cast<unsigned char>(value >> (8 * i));
}

/// The one entry of the protective MBR, which covers the disk. Others would make it a hybrid MBR, in which
/// somebody else's partitions would have to change as well.
MbrPartition& protective_partition(Mbr& mbr, const char* disk) {
  constexpr unsigned char kFirst[4] = {1, 0, 0, 0};
  MbrPartition* found = nullptr;
  for (MbrPartition& partition : mbr.partitions) {
    constexpr MbrPartition kUnused{};
    if (__builtin_memcmp(&partition, &kUnused, sizeof kUnused) == 0) continue;
    if (partition.type != kProtectiveType || found != nullptr) fail(disk, ": the MBR is not protective only");
    found = &partition;
  }
  if (mbr.signature[0] != 0x55 || mbr.signature[1] != 0xAA || found == nullptr ||
      !same_bytes(found->first_sector, kFirst)) {
    fail(disk, ": no protective MBR");
  }
  return *found;
}

void check_header(const GptHeader& header, const Device& disk, std::uint64_t sectors) {
  const char* const name = disk.path();
  if (!same_bytes(header.signature, kSignature)) fail(name, ": no GPT");
  if (header.revision != kRevision || header.header_size < kLeastHeaderSize ||
      header.header_size > kSectorSize) {
    fail(name, ": unknown version of the GPT");
  }
  if (header_crc(header) != header.header_crc) fail(name, ": the GPT's header is damaged (CRC)");
  if (header.own_sector != 1 || header.entries_sector != kEntriesSector ||
      header.entry_size != sizeof(GptEntry) || header.entry_count == 0 || header.entry_count > kMostEntries) {
    fail(name, ": unusual layout of the GPT");
  }
  if (header.other_sector >= sectors) fail(name, ": the disk is smaller than its GPT says");
  if (header.first_usable < kEntriesSector + sectors_of_entries(header) ||
      header.first_usable > header.last_usable || header.last_usable >= header.other_sector) {
    fail(name, ": the GPT contradicts itself");
  }
}

void check_entries(const GptFront& front, std::uint64_t number, const char* disk) {
  const GptHeader& header = front.header;
  if (crc32(front.entries, header.entry_count * sizeof(GptEntry)) != header.entries_crc) {
    fail(disk, ": the GPT's entries are damaged (CRC)");
  }
  if (number > header.entry_count || !is_used(front.entries[number - 1])) {
    fail(disk, ": no partition ", number);
  }
  for (std::uint32_t i = 0; i < header.entry_count; ++i) {
    const GptEntry& entry = front.entries[i];
    if (!is_used(entry)) continue;
    if (entry.first < header.first_usable || entry.first > entry.last || entry.last > header.last_usable) {
      fail(disk, ": partition ", std::uint64_t{i} + 1, " is not where partitions may be");
    }
    if (i + 1 != number && entry.last >= front.entries[number - 1].first) {
      fail(disk, ": partition ", number, " is not the last one");
    }
  }
}

void write_table(const Device& disk, GptFront& front, std::uint64_t number, std::uint64_t last) {
  GptHeader& header = front.header;
  const std::uint64_t entry_sectors = sectors_of_entries(header);
  header.entries_crc = crc32(front.entries, header.entry_count * sizeof(GptEntry));

  // While the second copy is written the old first one is whole, and the other way round.
  GptHeader second = header;
  second.own_sector = last;
  second.other_sector = 1;
  second.entries_sector = last - entry_sectors;
  second.header_crc = header_crc(second);
  disk.write(front.entries, entry_sectors * kSectorSize, second.entries_sector * kSectorSize);
  disk.write(&second, sizeof second, last * kSectorSize);
  disk.sync();

  // From the MBR to the changed entry in one piece, which is mostly one block of the medium.
  header.other_sector = last;
  header.header_crc = header_crc(header);
  const std::uint64_t changed = (number * sizeof(GptEntry) + kSectorSize - 1) / kSectorSize;
  disk.write(&front, (kEntriesSector + changed) * kSectorSize, 0);
  disk.sync();
}

/// The kernel read the table before; without this the partition has its new size after the next start only.
void tell_kernel(const Device& disk, const GptEntry& entry, std::uint64_t number) {
  blkpg_partition partition{};
  partition.pno = static_cast<int>(number);
  partition.start = static_cast<long long>(entry.first * kSectorSize);
  partition.length = static_cast<long long>((entry.last - entry.first + 1) * kSectorSize);
  blkpg_ioctl_arg argument{};
  argument.op = BLKPG_RESIZE_PARTITION;
  argument.datalen = sizeof partition;
  argument.data = &partition;
  check(sys_ioctl(disk.fd(), BLKPG, &argument), disk.path(), ": the kernel does not enlarge partition ",
        number);
}

}  // namespace

void grow(const char* disk_path, const char* number_text) {
  std::uint64_t number = 0;
  if (!parse_number(number_text, 3, number)) fail(number_text, " is no partition number");
  const Device disk(disk_path, Access::kRead);
  if (disk.sector_size() != kSectorSize) fail(disk_path, ": only sectors of 512 bytes are supported");
  const std::uint64_t sectors = disk.size() / kSectorSize;
  if (sectors < 2 * sizeof(GptFront) / kSectorSize) fail(disk_path, ": no GPT");

  static GptFront front;
  disk.read(&front, sizeof front, 0);
  check_header(front.header, disk, sectors);
  check_entries(front, number, disk_path);
  MbrPartition& protective = protective_partition(front.mbr, disk_path);

  const std::uint64_t last = sectors - 1;
  if (front.header.other_sector == last) return;
  const std::uint64_t last_usable = last - 1 - sectors_of_entries(front.header);
  if (last_usable <= front.header.last_usable) return;  // too little to gain

  // Opened for writing only now: a disk that is write-protected and has its size is no fault.
  const Device writable(disk_path, Access::kReadWrite);
  GptEntry& entry = front.entries[number - 1];
  entry.last = last_usable;
  front.header.last_usable = last_usable;
  put_32(protective.sectors, last > 0xFFFFFFFF ? 0xFFFFFFFF : static_cast<std::uint32_t>(last));
  write_table(writable, front, number, last);
  if (writable.kind() == DeviceKind::kBlock) tell_kernel(writable, entry, number);
}

}  // namespace imgforge::target
