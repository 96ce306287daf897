// The contents of the boot partition of disks, sticks and CDs: systemd-boot for UEFI, syslinux for BIOS,
// sharing the kernels and the menu.
#pragma once

#include <filesystem>
#include <vector>

#include "builder/image/boot/boot_menu.hpp"
#include "builder/image/disk/esp.hpp"

namespace imgforge::image {

/// kYes: the partition also starts on BIOS, through syslinux.
enum class BiosBoot { kNo, kYes };

/// systemd-boot's program on this machine, not signed. Throws kMachine when it is not installed.
std::filesystem::path systemd_boot_program();

/// All files of the partition; the configuration files are written into `work_dir`. Throws kMachine when a
/// boot loader is not installed.
std::vector<MediumFile> boot_partition_files(const BootFiles& boot, const BootMenu& menu, BiosBoot bios,
                                             const std::filesystem::path& work_dir);

/// Formats and fills the partition inside `image` as `esp` says, with syslinux when `bios` is kYes.
void make_boot_partition(const std::filesystem::path& image, const std::vector<MediumFile>& files,
                         const EspOptions& esp, BiosBoot bios, const std::filesystem::path& work_dir,
                         core::ProcessRunner& processes, const core::CancelToken& cancel);

/// syslinux's modules that its menu needs, to be put into `folder`; none when the menu is not shown.
std::vector<MediumFile> syslinux_menu_modules(const BootMenu& menu, const std::string& folder);

/// The serial number of a FAT that belongs to a partition.
std::uint32_t fat_volume_id(const std::string& uuid);

}  // namespace imgforge::image
