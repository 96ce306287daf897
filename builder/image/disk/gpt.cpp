#include "builder/image/disk/gpt.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <libfdisk/libfdisk.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <span>

#include "builder/image/raw_image.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kBootCodeSize = 440;

using Context = core::Handle<&fdisk_unref_context>;
using Table = core::Handle<&fdisk_unref_table>;
using Partition = core::Handle<&fdisk_unref_partition>;
using PartitionType = core::Handle<&fdisk_unref_parttype>;

/// libfdisk answers 0 or a negative error number.
void check(int result, const char* action, const std::filesystem::path& image) {
  if (result >= 0) return;
  throw Error(Kind::kImage,
              fmt::format("cannot {} in {}: {}", action, image.native(), std::strerror(-result)));
}

void add_partition(fdisk_context* context, const GptPartition& wanted, std::size_t number,
                   const std::filesystem::path& image) {
  const Partition partition(fdisk_new_partition());
  fdisk_label* const label = fdisk_get_label(context, nullptr);
  const PartitionType type(fdisk_label_parse_parttype(label, wanted.type_uuid.c_str()));
  if (!type) throw Error(Kind::kInternal, "libfdisk does not know the partition type " + wanted.type_uuid);
  check(fdisk_partition_set_type(partition.get(), type.get()), "set a partition type", image);
  check(fdisk_partition_set_partno(partition.get(), number), "number a partition", image);
  check(fdisk_partition_set_start(partition.get(), wanted.start / kSectorSize), "place a partition", image);
  check(fdisk_partition_set_size(partition.get(), wanted.size / kSectorSize), "size a partition", image);
  check(fdisk_partition_size_explicit(partition.get(), 1), "size a partition", image);
  check(fdisk_partition_set_uuid(partition.get(), wanted.uuid.c_str()), "identify a partition", image);
  check(fdisk_partition_set_name(partition.get(), wanted.name.c_str()), "name a partition", image);
  if (wanted.legacy_boot == LegacyBoot::kYes) {
    check(fdisk_partition_set_attrs(partition.get(), "LegacyBIOSBootable"), "mark a partition", image);
  }
  check(fdisk_add_partition(context, partition.get(), nullptr), "add a partition", image);
}

void write_boot_code(const std::filesystem::path& image, const std::string& boot_code) {
  if (boot_code.size() > kBootCodeSize) {
    throw Error(Kind::kImage,
                fmt::format("the boot code takes {} bytes, the MBR has {}", boot_code.size(), kBootCodeSize));
  }
  core::Fd fd = core::open_file(image, O_WRONLY);
  core::write_all(fd.get(), boot_code, image.native());
  fd.close(image.native());
}

}  // namespace

void write_gpt(const std::filesystem::path& image, const std::string& disk_uuid,
               const std::vector<GptPartition>& partitions, const std::string& boot_code) {
  const Context context(fdisk_new_context());
  if (!context) throw Error(Kind::kInternal, "libfdisk cannot start");
  check(fdisk_disable_dialogs(context.get(), 1), "start", image);
  check(fdisk_assign_device(context.get(), image.c_str(), 0), "open a partition table", image);
  check(fdisk_create_disklabel(context.get(), "gpt"), "make a partition table", image);
  check(fdisk_set_disklabel_id_from_string(context.get(), disk_uuid.c_str()), "identify the disk", image);
  for (std::size_t i = 0; i < partitions.size(); ++i) add_partition(context.get(), partitions[i], i, image);
  check(fdisk_write_disklabel(context.get()), "write the partition table", image);
  // Not synced here: the publisher syncs what it publishes.
  check(fdisk_deassign_device(context.get(), 1), "close the partition table", image);
  write_boot_code(image, boot_code);
}

namespace {

Error refused(const std::filesystem::path& image, std::string_view why) {
  return {Kind::kImage, image.native() + ": " + std::string(why)};
}

std::uint64_t little_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::uint64_t crc32_of(std::string_view bytes) {
  return ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
}

/// The header in that sector (UEFI specification, 5.3.2); empty when none is there.
std::string header_at(int fd, std::uint64_t sector, std::uint64_t sectors) {
  std::string header(kSectorSize, '\0');
  if (sector >= sectors ||
      ::pread(fd, header.data(), header.size(), static_cast<off_t>(sector * kSectorSize)) !=
          static_cast<ssize_t>(header.size()))
    return {};
  return header.starts_with("EFI PART") ? header : std::string();
}

/// libfdisk takes as much memory as a header says that its array has, and reads that much from a sparse disk:
/// looks at every header that it may read.
void check_arrays(const std::filesystem::path& image) {
  constexpr std::uint64_t kLargestArray = 1 << 20;
  constexpr std::size_t kOtherHeader = 32, kEntries = 80, kEntrySize = 84;
  const core::Fd fd = core::open_regular(image);
  const std::uint64_t sectors = core::file_size(fd.get(), image.native()) / kSectorSize;
  const std::string first = header_at(fd.get(), 1, sectors);
  const std::string other =
      first.empty() ? first : header_at(fd.get(), little_endian(first, kOtherHeader, 8), sectors);
  for (const std::string& header : {first, other, header_at(fd.get(), sectors - 1, sectors)}) {
    if (header.empty()) continue;
    const std::uint64_t entries = little_endian(header, kEntries, 4);
    if (entries > kLargestArray || entries * little_endian(header, kEntrySize, 4) > kLargestArray)
      throw refused(image, "its GPT has room for too many partitions");
  }
}

/// Whether header and array of that copy are what their sums say.
bool is_whole(int fd, std::uint64_t sector, std::uint64_t sectors) {
  constexpr std::size_t kHeaderSize = 92, kSum = 16, kArray = 72, kEntries = 80, kEntrySize = 84,
                        kArraySum = 88;
  std::string header = header_at(fd, sector, sectors).substr(0, kHeaderSize);
  if (header.empty() || little_endian(header, 12, 4) != kHeaderSize) return false;
  const std::uint64_t sum = little_endian(header, kSum, 4);
  header.replace(kSum, 4, 4, '\0');
  std::string array(little_endian(header, kEntries, 4) * little_endian(header, kEntrySize, 4), '\0');
  const std::uint64_t start = little_endian(header, kArray, 8);
  return start < sectors &&
         ::pread(fd, array.data(), array.size(), static_cast<off_t>(start * kSectorSize)) ==
             static_cast<ssize_t>(array.size()) &&
         crc32_of(header) == sum && crc32_of(array) == little_endian(header, kArraySum, 4);
}

/// An opened image with a GPT that is as it should be, and its partitions.
struct OpenedTable {
  Context context;
  Table table;
};

OpenedTable open_gpt(const std::filesystem::path& image) {
  check_arrays(image);
  Context context(fdisk_new_context());
  if (!context) throw Error(Kind::kInternal, "no memory for a partition table");
  check(fdisk_disable_dialogs(context.get(), 1), "start", image);
  check(fdisk_assign_device(context.get(), image.c_str(), 1), "open a partition table", image);
  if (fdisk_has_label(context.get()) == 0 || fdisk_is_labeltype(context.get(), FDISK_DISKLABEL_GPT) == 0) {
    throw refused(image, "it has no GPT");
  }
  if (fdisk_verify_disklabel(context.get()) != 0) throw refused(image, "its GPT is damaged");
  fdisk_table* raw = nullptr;
  check(fdisk_get_partitions(context.get(), &raw), "list partitions", image);
  Table table(raw);
  if (fdisk_table_get_nents(table.get()) == 0) throw refused(image, "its GPT is empty");
  return {std::move(context), std::move(table)};
}

std::string text_of(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

GptPartition describe(fdisk_partition* partition, const std::filesystem::path& image) {
  GptPartition row;
  row.name = text_of(fdisk_partition_get_name(partition));
  if (!core::is_utf8(row.name)) throw refused(image, "the name of a partition is no text");
  row.uuid = text_of(fdisk_partition_get_uuid(partition));
  fdisk_parttype* const type = fdisk_partition_get_type(partition);
  if (type != nullptr) row.type_uuid = text_of(fdisk_parttype_get_string(type));
  if (fdisk_partition_has_start(partition) == 0 || fdisk_partition_has_size(partition) == 0)
    throw refused(image, "a partition has no place");
  row.start = fdisk_partition_get_start(partition) * kSectorSize;
  row.size = fdisk_partition_get_size(partition) * kSectorSize;
  const std::string attributes = text_of(fdisk_partition_get_attrs(partition));
  if (attributes == "LegacyBIOSBootable") {
    row.legacy_boot = LegacyBoot::kYes;
  } else if (!attributes.empty()) {
    throw refused(image, "a partition has the attributes " + core::escaped(attributes, 200));
  }
  return row;
}

}  // namespace

GptLayout read_gpt(const std::filesystem::path& image) {
  const OpenedTable opened = open_gpt(image);
  if (fdisk_get_sector_size(opened.context.get()) != kSectorSize)
    throw refused(image, "its sectors are not of 512 bytes");
  GptLayout layout;
  char* id = nullptr;
  check(fdisk_get_disklabel_id(opened.context.get(), &id), "identify the disk", image);
  layout.disk_uuid = text_of(id);
  std::free(id);
  const std::size_t count = fdisk_table_get_nents(opened.table.get());
  for (std::size_t i = 0; i < count; ++i)
    layout.partitions.push_back(describe(fdisk_table_get_partition(opened.table.get(), i), image));
  return layout;
}

std::string partition_type_name(const std::string& type_uuid) {
  const Context context(fdisk_new_context());
  if (!context) throw Error(Kind::kInternal, "no memory for a partition table");
  fdisk_label* const label = fdisk_get_label(context.get(), "gpt");
  const PartitionType type(label == nullptr ? nullptr : fdisk_label_parse_parttype(label, type_uuid.c_str()));
  const std::string name = type ? text_of(fdisk_parttype_get_name(type.get())) : "";
  return name.empty() || name == "unknown" ? type_uuid : name;
}

std::string read_boot_code(const std::filesystem::path& image) {
  const core::Fd fd = core::open_regular(image);
  std::string code(kBootCodeSize, '\0');
  std::size_t filled = 0;
  while (filled < code.size()) {
    const std::span rest(code.data() + filled, code.size() - filled);
    const std::size_t n = core::read_some(fd.get(), std::as_writable_bytes(rest), image.native());
    if (n == 0) throw refused(image, "it ends within its first sector");
    filled += n;
  }
  return code;
}

std::size_t check_gpt(const std::filesystem::path& image) {
  const std::size_t count = fdisk_table_get_nents(open_gpt(image).table.get());
  // libfdisk is content with one good copy.
  const core::Fd fd = core::open_regular(image);
  const std::uint64_t sectors = core::file_size(fd.get(), image.native()) / kSectorSize;
  if (!is_whole(fd.get(), 1, sectors) || !is_whole(fd.get(), sectors - 1, sectors))
    throw refused(image, "one of the two copies of its GPT is damaged");
  return count;
}

}  // namespace imgforge::image
