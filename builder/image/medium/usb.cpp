#include "builder/image/medium/usb.hpp"

#include <fmt/format.h>

#include "builder/image/boot/live_root.hpp"
#include "builder/image/disk/boot_partition.hpp"
#include "builder/image/disk/disk.hpp"
#include "builder/image/disk/gpt.hpp"
#include "builder/image/raw_image.hpp"
#include "core/random.hpp"

namespace imgforge::image {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestData = std::uint64_t{1}
                                       << 40;  // the size that the data partition may grow to

/// Names of partitions tell sticks apart, because a squashfs has no identifier of its own.
std::string partition_name(std::string_view what, const std::string& identity) {
  return fmt::format("{}-{}", what, core::derived_uuid("imgforge usb " + identity).substr(0, 8));
}

}  // namespace

UsbLayout make_usb(const fs::path& squashfs, const BootFiles& boot, const UsbSpec& spec,
                   const fs::path& output, const fs::path& work_dir, core::ProcessRunner& processes,
                   const core::CancelToken& cancel) {
  const fs::path path = fs::absolute(output);
  const std::string system = partition_name("system", spec.identity);
  const std::string data = partition_name("data", spec.identity);
  const auto uuid = [&](std::string_view what) {
    return core::derived_uuid(fmt::format("imgforge usb {} {}", what, spec.identity));
  };
  const BootMenu menu = make_menu(boot, spec.menu, root_on_stick(system, data));
  const std::vector<MediumFile> files = boot_partition_files(boot, menu, BiosBoot::kYes, work_dir);
  const std::string boot_code = gpt_boot_code();

  const EspOptions esp{"IMGFORGE", fat_volume_id(uuid("esp")), kMebibyte, esp_size(files), spec.epoch};
  const std::uint64_t system_start = esp.offset + esp.size;
  const std::uint64_t system_size = round_up(fs::file_size(squashfs), kMebibyte);
  const std::uint64_t data_start = system_start + system_size;
  const std::uint64_t data_size = round_up(spec.data_size.value, kMebibyte);
  const std::uint64_t size = data_start + data_size + kMebibyte;  // the last MiB: second copy of the GPT

  RawImage image(path, core::Bytes{size});
  write_gpt(path, uuid("disk"),
            {{"boot", kEspType, uuid("esp"), esp.offset, esp.size, LegacyBoot::kYes},
             {system, kRootX86Type, uuid("system"), system_start, system_size, LegacyBoot::kNo},
             {data, kLinuxDataType, uuid("data"), data_start, data_size, LegacyBoot::kNo}},
            boot_code);
  make_boot_partition(path, files, esp, BiosBoot::kYes, work_dir, processes, cancel);
  copy_into_image(squashfs, path, system_start, cancel);
  Ext4Options ext4;
  ext4.uuid = uuid("data file system");
  ext4.label = "imgforge-data";
  ext4.offset = data_start;
  ext4.size = data_size;
  ext4.epoch = spec.epoch;
  ext4.largest_size = kLargestData;
  make_empty_ext4(path, ext4, processes, cancel);
  image.keep();
  return {size, unused_ext4_ranges(path, data_start), menu.entries.front().cmdline};
}

}  // namespace imgforge::image
