// The initramfs of an image: busybox with the libraries it needs (out of the image's own root file system),
// the kernel modules that reach the root file system, and a short script. Made here instead of by the
// distribution's generator, because that one would have to run in the guest and its output is not
// reproducible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/image/boot/boot_compression.hpp"
#include "builder/image/boot/kernel.hpp"
#include "builder/image/fs/rootfs_archive.hpp"

namespace imgforge::image {

struct InitramfsOptions {
  /// Modules that are loaded before any device is looked for; the kernel must have them.
  std::vector<std::string> extra_modules;
  /// Package whose kernel boots; empty: the newest.
  std::string kernel_package;
};

struct Initramfs {
  std::string bytes;  ///< compressed archive
  InitramfsCompression compression = InitramfsCompression::kGzip;
  std::size_t modules = 0;          ///< how many are inside
  std::uint64_t unpacked_size = 0;  ///< memory it takes while booting
  std::vector<std::string> lacks;   ///< modules that the script may load and the kernel does not have
};

/// Equal rootfs and options give equal bytes. Throws kImage when the rootfs has no busybox, a part is
/// missing, the kernel can read neither ext4 nor squashfs, or it lacks one of the extra modules.
Initramfs make_initramfs(const RootfsArchive& rootfs, const KernelFiles& kernel,
                         const InitramfsOptions& options);

}  // namespace imgforge::image
