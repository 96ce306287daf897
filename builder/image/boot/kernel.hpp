// Finds the kernels in a root file system. Distributions name them differently (Alpine: vmlinuz-virt, Debian:
// vmlinuz-<release>), so the release is read out of the kernel image itself and matched with lib/modules.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/image/boot/boot_compression.hpp"
#include "builder/image/boot/module_closure.hpp"
#include "builder/image/fs/rootfs_archive.hpp"

namespace imgforge::image {

struct KernelFiles {
  std::string release;         ///< "6.6.117-0-virt", the name of its modules folder
  std::string image;           ///< the bzImage
  std::string config;          ///< text of config-*; empty when the rootfs has none
  std::string modules_folder;  ///< resolved path in the rootfs: "lib/modules/6.6.117-0-virt"
  ModuleTable modules;

  /// zstd when the configuration says that the kernel unpacks it, else gzip (every distribution's kernel
  /// does).
  InitramfsCompression initramfs_compression() const;
};

/// At most `most` of the kernels that have their modules: the one of the package named `package` first
/// ("linux-lts" is boot/vmlinuz-lts, or a release that ends in "-lts"), then the newest. An empty name
/// prefers none. Throws kImage when there is none, or none of that package.
std::vector<KernelFiles> find_kernels(const RootfsArchive& rootfs, std::string_view package,
                                      std::size_t most);

/// Release text inside an x86 kernel image (Linux x86 boot protocol, field kernel_version). Throws kImage.
std::string kernel_release(std::string_view image, std::string_view name);

}  // namespace imgforge::image
