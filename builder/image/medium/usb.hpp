// The image of a stick: GPT with a boot partition (UEFI and BIOS), the read-only system as squashfs in a
// partition of its own, and an ext4 data partition that keeps what changes and grows to the end of the stick
// when it starts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/image/boot/boot_menu.hpp"
#include "builder/image/fs/ext4.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

struct UsbSpec {
  std::string identity;                   ///< text that all identifiers derive from
  core::Bytes data_size = core::mib(64);  ///< of the data partition before it grows
  MenuOptions menu;
  std::int64_t epoch = 0;
};

struct UsbLayout {
  std::uint64_t size = 0;            ///< of the image, bytes
  std::vector<ByteRange> unused;     ///< parts whose content does not matter
  std::vector<std::string> cmdline;  ///< of the first entry
};

/// Makes `output` (must not exist; removed again on failure), as large as its content asks. Equal arguments
/// give equal bytes. Throws kImage, kMachine.
UsbLayout make_usb(const std::filesystem::path& squashfs, const BootFiles& boot, const UsbSpec& spec,
                   const std::filesystem::path& output, const std::filesystem::path& work_dir,
                   core::ProcessRunner& processes, const core::CancelToken& cancel);

}  // namespace imgforge::image
