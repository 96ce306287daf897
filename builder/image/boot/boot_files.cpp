#include "builder/image/boot/boot_files.hpp"

#include <fmt/format.h>

#include "builder/image/boot/kernel.hpp"
#include "builder/image/boot/kernel_config.hpp"
#include "builder/image/fs/rootfs_archive.hpp"
#include "builder/image/write_file.hpp"

namespace imgforge::image {

BootFiles make_boot_files(const std::filesystem::path& rootfs_tar, const InitramfsOptions& options,
                          const std::filesystem::path& work_dir) {
  constexpr std::size_t kMostKernels = 2;  // the one that boots, and another in the menu
  const RootfsArchive rootfs(rootfs_tar);
  BootFiles boot;
  for (const KernelFiles& kernel : find_kernels(rootfs, options.kernel_package, kMostKernels)) {
    const Initramfs initramfs = make_initramfs(rootfs, kernel, options);
    const std::string number = boot.kernels.empty() ? "" : fmt::format("-{}", boot.kernels.size());
    BootKernel made{kernel.release,
                    work_dir / ("vmlinuz" + number),
                    work_dir / ("initramfs" + number + ".img"),
                    initramfs.compression,
                    initramfs.modules,
                    initramfs.lacks,
                    kernel_features(rootfs, kernel)};
    write_file(made.kernel, kernel.image);
    write_file(made.initramfs, initramfs.bytes);
    boot.kernels.push_back(std::move(made));
  }
  return boot;
}

}  // namespace imgforge::image
