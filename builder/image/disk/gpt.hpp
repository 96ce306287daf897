// The partition table of a disk image: GPT (UEFI specification, chapter 5) written by libfdisk into the raw
// file, with identifiers that the caller derives from the inputs, and boot code for BIOS in the protective
// MBR.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace imgforge::image {

/// Partition types (Discoverable Partitions Specification).
inline constexpr const char* kEspType = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
inline constexpr const char* kRootX86Type = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709";
inline constexpr const char* kRootVerityX86Type = "2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5";

inline constexpr const char* kLinuxDataType = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

/// Attribute LegacyBIOSBootable: where gptmbr looks for a boot sector.
enum class LegacyBoot { kNo, kYes };

struct GptPartition {
  std::string name;
  std::string type_uuid;
  std::string uuid;
  std::uint64_t start = 0;  ///< bytes, whole MiB
  std::uint64_t size = 0;   ///< bytes, whole MiB
  LegacyBoot legacy_boot = LegacyBoot::kNo;
};

/// Writes both copies of the table and the protective MBR, in which `boot_code` (at most 440 bytes, may be
/// empty) stands first. Equal arguments give equal bytes. Throws kImage.
void write_gpt(const std::filesystem::path& image, const std::string& disk_uuid,
               const std::vector<GptPartition>& partitions, const std::string& boot_code);

struct GptLayout {
  std::string disk_uuid;
  std::vector<GptPartition> partitions;  ///< in the order of the table; UUIDs in upper case
};

/// Reads the table of a raw image after the checks of check_gpt. Throws kImage, also when a partition has an
/// attribute or a name that GptPartition cannot say, or does not begin and end at whole sectors of 512 bytes.
GptLayout read_gpt(const std::filesystem::path& image);
/// "EFI system", "Linux root (x86-64)": what libfdisk calls a partition type, or the UUID itself.
std::string partition_type_name(const std::string& type_uuid);
/// The first 440 bytes: the boot code of the MBR.
std::string read_boot_code(const std::filesystem::path& image);

/// Checks both copies of the table of a raw image. Returns the number of partitions. Throws kImage when there
/// is no GPT or it is damaged.
std::size_t check_gpt(const std::filesystem::path& image);

}  // namespace imgforge::image
