// The ways into an image: how it is attached to the machine, times the firmware that starts it. A release is
// known to boot only by the paths that were tried, so every path has one name, which stands in manifests, in
// evidence and on the command line.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace imgforge::vm {

enum class Attachment {
  kDisk,     ///< virtio disk
  kCd,       ///< CD drive on a virtio SCSI bus
  kStick,    ///< removable USB disk on an xHCI controller
  kKernel,   ///< kernel and initramfs are handed over by QEMU; no disk
  kNetwork,  ///< the network card's iPXE fetches the first file by TFTP; no disk
};

enum class Firmware {
  kBios,        ///< SeaBIOS
  kUefi,        ///< OVMF
  kSecureBoot,  ///< OVMF that refuses unsigned programs once keys are enrolled in its variables
};

struct BootPath {
  Attachment attachment = Attachment::kDisk;
  Firmware firmware = Firmware::kBios;
  bool operator==(const BootPath&) const = default;
};

/// All paths that can be tried: disk, CD and stick with each firmware, "kernel" and "network".
std::span<const BootPath> boot_paths();
/// "disk BIOS", "cd UEFI", "stick UEFI Secure Boot", "kernel", ...
std::string boot_path_name(const BootPath& path);
/// Reads what boot_path_name writes, in any case. Throws kUsage with the nearest or all names as hint.
BootPath parse_boot_path(std::string_view name);

/// True when the path needs the UEFI firmware and its variables.
constexpr bool is_uefi(const BootPath& path) {
  return path.firmware != Firmware::kBios;
}

}  // namespace imgforge::vm
