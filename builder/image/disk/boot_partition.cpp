#include "builder/image/disk/boot_partition.hpp"

#include <charconv>

#include "builder/image/write_file.hpp"
#include "builder/machine/tools.hpp"

namespace imgforge::image {
namespace {

constexpr const char* kSystemdBoot = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
constexpr const char* kSyslinuxModules = "/usr/lib/syslinux/modules/bios/";
constexpr const char* kSyslinuxFolder = "syslinux";

}  // namespace

std::filesystem::path systemd_boot_program() {
  return machine::require_file(kSystemdBoot, "systemd-boot-efi");
}

std::vector<MediumFile> syslinux_menu_modules(const BootMenu& menu, const std::string& folder) {
  std::vector<MediumFile> files;
  if (menu.timeout == 0) return files;
  for (const char* name : {"menu.c32", "libutil.c32"}) {
    files.push_back({folder + "/" + name,
                     machine::require_file(std::string(kSyslinuxModules) + name, "syslinux-common")});
  }
  return files;
}

std::vector<MediumFile> boot_partition_files(const BootFiles& boot, const BootMenu& menu, BiosBoot bios,
                                             const std::filesystem::path& work_dir) {
  std::vector<MediumFile> files{{"EFI/BOOT/BOOTX64.EFI", systemd_boot_program()}};
  const auto text = [&](const std::string& name, const std::string& path, std::string_view content) {
    write_file(work_dir / name, content);
    files.push_back({path, work_dir / name});
  };
  text("loader.conf", "loader/loader.conf", systemd_boot_config(menu));
  for (const BootEntry& entry : menu.entries) {
    text(entry.id + ".conf", "loader/entries/" + entry.id + ".conf", systemd_boot_entry(entry));
  }
  if (bios == BiosBoot::kYes) {
    text("syslinux.cfg", std::string(kSyslinuxFolder) + "/syslinux.cfg", syslinux_config(menu));
    for (MediumFile& file : syslinux_menu_modules(menu, kSyslinuxFolder)) files.push_back(std::move(file));
  }
  for (MediumFile& file : menu_files(boot)) files.push_back(std::move(file));
  return files;
}

void make_boot_partition(const std::filesystem::path& image, const std::vector<MediumFile>& files,
                         const EspOptions& esp, BiosBoot bios, const std::filesystem::path& work_dir,
                         core::ProcessRunner& processes, const core::CancelToken& cancel) {
  make_esp(image, files, esp, processes, cancel);
  if (bios == BiosBoot::kYes) install_syslinux(image, kSyslinuxFolder, esp, work_dir, processes, cancel);
}

std::uint32_t fat_volume_id(const std::string& uuid) {
  std::uint32_t id = 0;
  std::from_chars(uuid.data(), uuid.data() + 8, id, 16);
  return id;
}

}  // namespace imgforge::image
