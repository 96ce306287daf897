// Programs that shape the bytes of formats, by what a format is carried by.
#pragma once

#include <array>
#include <string_view>

namespace imgforge::formats {

inline constexpr std::array<std::string_view, 5> kDiskTools{"mke2fs", "mkfs.vfat", "mcopy", "syslinux",
                                                            "qemu-img"};
inline constexpr std::array<std::string_view, 4> kIsoTools{"mksquashfs", "mkfs.vfat", "mcopy", "xorriso"};
inline constexpr std::array<std::string_view, 5> kUsbTools{"mksquashfs", "mke2fs", "mkfs.vfat", "mcopy",
                                                           "syslinux"};
inline constexpr std::array<std::string_view, 1> kSquashfsTools{"mksquashfs"};
/// Besides those of the format, when a disk is made for Secure Boot.
inline constexpr std::array<std::string_view, 3> kSecureDiskTools{"mksquashfs", "objcopy", "veritysetup"};
/// Modules that a kernel needs to find a squashfs root below an overlay.
inline constexpr std::array<std::string_view, 2> kLiveModules{"squashfs", "overlay"};
/// The same below dm-verity.
inline constexpr std::array<std::string_view, 3> kVerityModules{"squashfs", "overlay", "dm_verity"};

}  // namespace imgforge::formats
