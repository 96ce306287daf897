#include "artifacts/manifest/formats.hpp"

#include <algorithm>
#include <array>

#include "core/error.hpp"

namespace imgforge::artifacts {
namespace {

constexpr std::array kQcow2Files{FormatFile{"image", ".qcow2"}};
constexpr std::array kRawFiles{FormatFile{"image", ".img"}};
constexpr std::array kVmdkFiles{FormatFile{"image", ".vmdk"}};
constexpr std::array kVhdxFiles{FormatFile{"image", ".vhdx"}};
constexpr std::array kVdiFiles{FormatFile{"image", ".vdi"}};
constexpr std::array kVmFiles{FormatFile{"image", ".vm.tar"}};
constexpr std::array kIsoFiles{FormatFile{"image", ".iso"}};
constexpr std::array kUsbFiles{FormatFile{"image", "-usb.img"}, FormatFile{"bmap", "-usb.img.bmap"}};
constexpr std::array kNetbootFiles{FormatFile{"script", ".ipxe"}, FormatFile{"kernel", "-vmlinuz"},
                                   FormatFile{"initramfs", "-initramfs.img"},
                                   FormatFile{"root", "-root.squashfs"}};
constexpr std::array kRootfsFiles{FormatFile{"image", ".rootfs.tar.zst"}};
constexpr std::array kOciFiles{FormatFile{"image", ".oci.tar"}};

constexpr std::array kFormats{
    Format{"qcow2", "images", Carrier::kDisk, SecureBoot::kPossible, kQcow2Files,
           "disk for QEMU and libvirt, compressed", RootPlace::kDisk, 6, CompressAs::kZstdClusters, true},
    Format{"raw", "images", Carrier::kDisk, SecureBoot::kPossible, kRawFiles, "disk byte for byte, sparse",
           RootPlace::kDisk, 5, CompressAs::kZstdFile, true},
    Format{"vmdk", "images", Carrier::kDisk, SecureBoot::kPossible, kVmdkFiles,
           "disk for VMware, stream-optimised; ESXi: vmkfstools -i FILE NEW.vmdk", RootPlace::kDisk, 9},
    Format{"vhdx", "images", Carrier::kDisk, SecureBoot::kPossible, kVhdxFiles, "disk for Hyper-V",
           RootPlace::kDisk, 8},
    Format{"vdi", "images", Carrier::kDisk, SecureBoot::kPossible, kVdiFiles, "disk for VirtualBox",
           RootPlace::kDisk, 7},
    Format{"vm", "vms", Carrier::kDisk, SecureBoot::kImpossible, kVmFiles,
           "virtual machine: a tar with the qcow2 disk, its settings, a start script and a libvirt domain",
           RootPlace::kBundle, 10},
    Format{"iso", "isos", Carrier::kLive, SecureBoot::kImpossible, kIsoFiles,
           "live system for CD and stick, BIOS and UEFI", RootPlace::kMedium, 3},
    Format{"usb", "usb", Carrier::kLive, SecureBoot::kImpossible, kUsbFiles,
           "stick with read-only system and a data partition that grows, and its block map",
           RootPlace::kStick, 4, CompressAs::kZstdFile},
    Format{"netboot", "netboot", Carrier::kLive, SecureBoot::kImpossible, kNetbootFiles,
           "kernel, initramfs, root and a script for iPXE", RootPlace::kFiles, 11},
    Format{"rootfs", "rootfs", Carrier::kArchive, SecureBoot::kNone, kRootfsFiles,
           "root file system as a tar, zstd compressed", RootPlace::kTar, 1},
    Format{"oci", "oci", Carrier::kArchive, SecureBoot::kNone, kOciFiles,
           "container image, an OCI layout in a tar", RootPlace::kLayers, 2},
};

static_assert(std::equal(kFormats.begin(), kFormats.end(), kFormatNames.begin(), kFormatNames.end(),
                         [](const Format& format, std::string_view name) { return format.name == name; }));

}  // namespace

std::span<const Format> formats() {
  return kFormats;
}

const Format* find_format(std::string_view name) {
  const auto* found =
      std::find_if(kFormats.begin(), kFormats.end(), [&](const Format& f) { return f.name == name; });
  return found == kFormats.end() ? nullptr : found;
}

std::vector<std::string> machine_disk_names() {
  std::vector<std::string> names;
  for (const Format& format : kFormats) {
    if (format.is_machine_disk) names.emplace_back(format.name);
  }
  return names;
}

std::string_view format_suffix(const Format& format, std::string_view role) {
  for (const FormatFile& file : format.files) {
    if (file.role == role) return file.suffix;
  }
  throw core::Error(core::Kind::kInternal,
                    "the format " + std::string(format.name) + " has no file " + std::string(role));
}

}  // namespace imgforge::artifacts
