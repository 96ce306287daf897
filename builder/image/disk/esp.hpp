// The EFI system partition: a FAT file system inside a raw image, filled through mtools, bootable for UEFI
// (the firmware reads files) and for BIOS (syslinux puts its boot sector in).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/image/boot/boot_menu.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

struct EspOptions {
  std::string label;            ///< at most 11 upper-case characters
  std::uint32_t volume_id = 0;  ///< serial number of the FAT
  std::uint64_t offset = 0;     ///< bytes from the start of the image
  std::uint64_t size = 0;       ///< bytes
  std::int64_t epoch = 0;       ///< modification time of all files
};

/// kMore: some MiB for later kernels and loaders. kNone: a medium that nobody writes to.
enum class EspRoom { kMore, kNone };

/// Size of a partition for these files, whole MiB. Throws kImage when a file is too large for FAT (4 GiB).
std::uint64_t esp_size(const std::vector<MediumFile>& files, EspRoom room = EspRoom::kMore);

/// Makes the file system in an existing image file. Equal arguments give equal bytes. Throws kImage.
void make_esp(const std::filesystem::path& image, const std::vector<MediumFile>& files,
              const EspOptions& options, core::ProcessRunner& processes, const core::CancelToken& cancel);

/// Makes it bootable for BIOS: the files and the boot sector of syslinux, configured by syslinux.cfg in
/// `folder`. `work_dir` takes syslinux's temporary files.
void install_syslinux(const std::filesystem::path& image, const std::string& folder,
                      const EspOptions& options, const std::filesystem::path& work_dir,
                      core::ProcessRunner& processes, const core::CancelToken& cancel);

}  // namespace imgforge::image
