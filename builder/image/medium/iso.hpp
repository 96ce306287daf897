// A live ISO image that starts as a CD and, written to a stick, as a disk, on BIOS and UEFI: isolinux and a
// hybrid boot sector for BIOS, an appended EFI system partition with systemd-boot for UEFI, squashfs as root.
// Written by xorriso. Formats: ECMA-119 (ISO 9660), El Torito, UEFI specification chapter 13.3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/image/boot/boot_menu.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

struct IsoSpec {
  std::string volume_id;  ///< at most 32 characters of A-Z, 0-9 and _
  std::string identity;   ///< text that all identifiers derive from
  MenuOptions menu;
  std::int64_t epoch = 0;  ///< the time of all files
};

struct IsoResult {
  std::vector<std::string> cmdline;  ///< of the first entry
};

/// isolinux on this machine: the program, its core and the boot sector of sticks. Throws kMachine when it is
/// not installed.
struct Isolinux {
  std::filesystem::path program;
  std::filesystem::path core;
  std::filesystem::path boot_sector;
};
Isolinux isolinux();

/// Makes `output` (must not exist; removed again on failure). Equal arguments give equal bytes. Throws
/// kImage, kMachine.
IsoResult make_iso(const std::filesystem::path& squashfs, const BootFiles& boot, const IsoSpec& spec,
                   const std::filesystem::path& output, const std::filesystem::path& work_dir,
                   core::ProcessRunner& processes, const core::CancelToken& cancel);

/// A volume identifier for a release line: upper case, cut to 32 characters with the end telling long ones
/// apart.
std::string volume_id_for(const std::string& line);
/// Throws kImage when `id` cannot be a volume identifier; says how much too long it is.
void check_volume_id(const std::string& id);

/// What an ISO image says of itself.
struct IsoFacts {
  std::string volume_id;
  bool bios = false;  ///< El Torito boot image for BIOS
  bool uefi = false;
  std::int64_t modified = 0;  ///< time of the volume, seconds; 0 when it does not say
};
/// Reads an ISO with xorriso. Throws kImage when it is none, damaged or cut.
IsoFacts check_iso(const std::filesystem::path& file, core::ProcessRunner& processes,
                   const core::CancelToken& cancel);

}  // namespace imgforge::image
