// A bootable disk image out of a root file system tar: GPT, a partition for the boot loaders of UEFI and BIOS
// (sharing one kernel and one initramfs), and an ext4 root. Made on the host, without root, reproducibly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/image/boot/boot_menu.hpp"
#include "builder/image/fs/root_tree.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

/// kReadOnly: root is mounted read-only below an overlay in memory.
enum class RootAccess { kReadOnly, kWritable };

struct DiskSpec {
  core::Bytes size;
  /// Text that all identifiers of the disk derive from: equal texts, equal identifiers.
  std::string identity;
  RootAccess root_access = RootAccess::kReadOnly;
  MenuOptions menu;
  std::int64_t epoch = 0;  ///< the time that the file systems tell
};

/// What was made where.
struct DiskLayout {
  std::string disk_uuid;
  std::string esp_uuid;   ///< of the partition
  std::string root_uuid;  ///< of the partition
  std::string root_name;  ///< of the partition
  std::string root_filesystem_uuid;
  std::uint64_t esp_start = 0;  ///< bytes
  std::uint64_t esp_size = 0;
  std::uint64_t root_start = 0;
  std::uint64_t root_size = 0;
  std::vector<std::string> cmdline;  ///< whole kernel command line of the first entry
};

/// Makes the raw image `output` (which must not exist; removed again on failure). `work_dir` takes small
/// files. Throws kImage with the hint to raise disk.size when something does not fit, kMachine when a boot
/// loader is not installed.
DiskLayout make_disk(const RootTree& root, const BootFiles& boot, const DiskSpec& spec,
                     const std::filesystem::path& output, const std::filesystem::path& work_dir,
                     core::ProcessRunner& processes, const core::CancelToken& cancel);

/// The file that holds gpt_boot_code, likewise.
std::filesystem::path gpt_boot_code_file();

/// Boot code for the protective MBR that starts the partition with the attribute LegacyBIOSBootable. Throws
/// kMachine when it is not installed.
std::string gpt_boot_code();

}  // namespace imgforge::image
