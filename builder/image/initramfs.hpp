// The initramfs of an image: busybox with the libraries it needs (out of the image's own root file system),
// the kernel modules that reach the root file system, and a short script. Made here instead of by the
// distribution's generator, because that one would have to run in the guest and its output is not
// reproducible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/image/compression.hpp"
#include "builder/image/kernel.hpp"
#include "builder/image/rootfs_archive.hpp"

namespace imgforge::image {

struct InitramfsOptions {
  /// File systems (module names) that root may need.
  std::vector<std::string> filesystems = {"ext4", "overlay"};
  /// Modules loaded together with the file systems, before any device is looked for.
  std::vector<std::string> extra_modules;
};

struct Initramfs {
  std::string bytes;  ///< compressed archive
  InitramfsCompression compression = InitramfsCompression::kGzip;
  std::size_t modules = 0;          ///< how many are inside
  std::uint64_t unpacked_size = 0;  ///< memory it takes while booting
};

/// Equal rootfs and options give equal bytes. Throws kImage when the rootfs has no busybox or a part is
/// missing.
Initramfs make_initramfs(const RootfsArchive& rootfs, const KernelFiles& kernel,
                         const InitramfsOptions& options);

}  // namespace imgforge::image
