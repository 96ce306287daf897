// A disk that starts by UEFI Secure Boot: signed systemd-boot, one signed unified kernel image for each entry
// of the menu, and a squashfs root below dm-verity whose root hash stands on those images' command line. From
// the firmware's keys to each block of root there is no byte that is run unchecked. It does not start on
// BIOS, where nothing would check anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/image/disk/disk.hpp"
#include "builder/image/trust/secure_boot.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

/// What such a disk says when BIOS starts it.
inline constexpr const char* kBiosNotice = "This disk starts by UEFI only.";

struct SecureDiskSpec {
  core::Bytes size;
  /// Text that all identifiers of the disk derive from: equal texts, equal identifiers.
  std::string identity;
  MenuOptions menu;
  std::int64_t epoch = 0;      ///< the time that the file systems tell
  std::filesystem::path keys;  ///< folder of Secure Boot keys; its db key signs
  Enrolment enrolment = Enrolment::kOffered;
};

/// Makes the raw image `output` (which must not exist; removed again on failure). `squashfs` is whole blocks
/// of 4 KiB. Equal arguments give equal bytes. `work_dir` takes files as large as the kernels. Throws kImage
/// with the hint to raise disk.size when something does not fit, kMachine when a boot loader or program is
/// not installed, and what loading the keys throws.
DiskLayout make_secure_disk(const std::filesystem::path& squashfs, const BootFiles& boot,
                            const SecureDiskSpec& spec, const std::filesystem::path& output,
                            const std::filesystem::path& work_dir, core::ProcessRunner& processes,
                            const core::CancelToken& cancel);

}  // namespace imgforge::image
