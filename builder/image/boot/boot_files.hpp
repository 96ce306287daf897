// Takes the kernels out of a root file system and makes an initramfs for each: what every bootable format
// loads.
#pragma once

#include <filesystem>

#include "builder/image/boot/boot_menu.hpp"
#include "builder/image/boot/initramfs.hpp"

namespace imgforge::image {

/// The newest kernel of the rootfs and, when it holds another one, the newest of the others. Files go into
/// `work_dir` as `vmlinuz`, `initramfs.img`, `vmlinuz-1`, `initramfs-1.img`. Throws kImage when there is no
/// kernel or the initramfs cannot be made.
BootFiles make_boot_files(const std::filesystem::path& rootfs_tar, const InitramfsOptions& options,
                          const std::filesystem::path& work_dir);

}  // namespace imgforge::image
