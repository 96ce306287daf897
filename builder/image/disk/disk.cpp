#include "builder/image/disk/disk.hpp"

#include <fmt/format.h>

#include "builder/image/disk/boot_partition.hpp"
#include "builder/image/disk/esp.hpp"
#include "builder/image/disk/gpt.hpp"
#include "builder/image/fs/ext4.hpp"
#include "builder/image/raw_image.hpp"
#include "builder/machine/tools.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/random.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr const char* kGptBootCode = "/usr/lib/syslinux/mbr/gptmbr.bin";
constexpr std::uint64_t kSmallestRoot = 16 * kMebibyte;

std::vector<std::string> root_words(const DiskSpec& spec, const std::string& root_name) {
  const bool read_only = spec.root_access == RootAccess::kReadOnly;
  return {"root=PARTLABEL=" + root_name, "rootfstype=ext4", read_only ? "ro" : "rw",
          read_only ? "imgforge.overlay=tmpfs" : "imgforge.overlay=none"};
}

DiskLayout plan_layout(const DiskSpec& spec, std::uint64_t disk_size, std::uint64_t esp) {
  DiskLayout layout;
  layout.disk_uuid = core::derived_uuid("imgforge disk " + spec.identity);
  layout.esp_uuid = core::derived_uuid("imgforge esp " + spec.identity);
  layout.root_uuid = core::derived_uuid("imgforge root partition " + spec.identity);
  layout.root_filesystem_uuid = core::derived_uuid("imgforge root file system " + spec.identity);
  // By the name that the kernel tells, the initramfs sees every disk that carries this system.
  layout.root_name = "root-" + layout.root_uuid.substr(0, 8);
  layout.esp_start = kMebibyte;
  layout.esp_size = esp;
  layout.root_start = layout.esp_start + esp;
  const std::uint64_t least =
      layout.root_start + kSmallestRoot + kMebibyte;  // the last MiB: second copy of the GPT
  if (disk_size < least) {
    throw Error(Kind::kImage, fmt::format("a disk of {} is too small: boot loader and kernel take {}",
                                          core::Bytes{disk_size}.to_string(), core::Bytes{esp}.to_string()))
        .hint("raise disk.size to " + core::Bytes{least}.to_string() + " or more");
  }
  layout.root_size = disk_size - kMebibyte - layout.root_start;
  return layout;
}

}  // namespace

std::filesystem::path gpt_boot_code_file() {
  return machine::require_file(kGptBootCode, "syslinux-common");
}

std::string gpt_boot_code() {
  return core::read_text_file(gpt_boot_code_file());
}

DiskLayout make_disk(const RootTree& root, const BootFiles& boot, const DiskSpec& spec,
                     const std::filesystem::path& output, const std::filesystem::path& work_dir,
                     core::ProcessRunner& processes, const core::CancelToken& cancel) {
  const std::filesystem::path path = std::filesystem::absolute(output);
  const std::uint64_t disk_size = round_up(spec.size.value, kMebibyte);
  const std::string boot_code = gpt_boot_code();
  DiskLayout layout = plan_layout(spec, disk_size, 0);
  const BootMenu menu = make_menu(boot, spec.menu, root_words(spec, layout.root_name));
  const std::vector<MediumFile> files = boot_partition_files(boot, menu, BiosBoot::kYes, work_dir);
  layout = plan_layout(spec, disk_size, esp_size(files));
  layout.cmdline = menu.entries.front().cmdline;

  RawImage image(path, core::Bytes{disk_size});
  write_gpt(path, layout.disk_uuid,
            {{"boot", kEspType, layout.esp_uuid, layout.esp_start, layout.esp_size, LegacyBoot::kYes},
             {layout.root_name, kRootX86Type, layout.root_uuid, layout.root_start, layout.root_size,
              LegacyBoot::kNo}},
            boot_code);
  const EspOptions esp{"IMGFORGE", fat_volume_id(layout.esp_uuid), layout.esp_start, layout.esp_size,
                       spec.epoch};
  make_boot_partition(path, files, esp, BiosBoot::kYes, work_dir, processes, cancel);
  make_ext4(root, path,
            {layout.root_filesystem_uuid, "root", layout.root_start, layout.root_size, spec.epoch}, processes,
            cancel);
  image.keep();
  return layout;
}

}  // namespace imgforge::image
