#include "builder/image/gpt.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <libfdisk/libfdisk.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "builder/image/raw_image.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kBootCodeSize = 440;

template <auto Unref>
struct Unreferencer {
  template <class T>
  void operator()(T* object) const {
    Unref(object);
  }
};
using Context = std::unique_ptr<fdisk_context, Unreferencer<&fdisk_unref_context>>;
using Table = std::unique_ptr<fdisk_table, Unreferencer<&fdisk_unref_table>>;
using Partition = std::unique_ptr<fdisk_partition, Unreferencer<&fdisk_unref_partition>>;
using PartitionType = std::unique_ptr<fdisk_parttype, Unreferencer<&fdisk_unref_parttype>>;

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

std::size_t check_gpt(const std::filesystem::path& image) {
  const auto refuse = [&](std::string_view why) {
    return core::Error(core::Kind::kImage, image.native() + ": " + std::string(why));
  };
  const Context context(fdisk_new_context());
  if (!context) throw core::Error(core::Kind::kInternal, "no memory for a partition table");
  check(fdisk_disable_dialogs(context.get(), 1), "start", image);
  check(fdisk_assign_device(context.get(), image.c_str(), 1), "open a partition table", image);
  if (fdisk_has_label(context.get()) == 0 || fdisk_is_labeltype(context.get(), FDISK_DISKLABEL_GPT) == 0) {
    throw refuse("it has no GPT");
  }
  if (fdisk_verify_disklabel(context.get()) != 0) throw refuse("its GPT is damaged");
  fdisk_table* raw = nullptr;
  check(fdisk_get_partitions(context.get(), &raw), "list partitions", image);
  const Table table(raw);
  const std::size_t count = fdisk_table_get_nents(table.get());
  if (count == 0) throw refuse("its GPT is empty");
  return count;
}

}  // namespace imgforge::image
