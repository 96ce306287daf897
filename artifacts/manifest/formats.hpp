// The table of formats that a release may consist of: name, files, folder in the store, what is inside. All
// that must agree about formats (the recipe's choices, names of files, flat folders, help) reads this table;
// how a format is made and checked stands in builder/formats/<name>.cpp.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::artifacts {

/// What the root file system is carried by, and so which intermediate result a format is made from.
enum class Carrier {
  kDisk,     ///< the raw disk: boot partition and ext4 root
  kLive,     ///< squashfs
  kArchive,  ///< the tar itself
};

/// Whether a format can be signed for UEFI Secure Boot. kNone: it starts nothing.
enum class SecureBoot { kNone, kImpossible, kPossible };

/// Where the root file system is inside the image.
enum class RootPlace {
  kDisk,    ///< on a disk, encoded as the format says
  kStick,   ///< on a disk byte for byte, in a partition of squashfs
  kMedium,  ///< a file of an ISO 9660 tree
  kTar,     ///< the image is a tar of it
  kLayers,  ///< a layer of an OCI image
  kBundle,  ///< on the disk of a virtual machine bundle
  kFiles,   ///< a file of its own
};

/// What `compress` does with the image.
enum class CompressAs { kNone, kZstdFile, kZstdClusters };

/// A file of a format. The first one of a format is the image itself.
struct FormatFile {
  std::string_view role;    ///< "image", "bmap", "kernel", ...
  std::string_view suffix;  ///< ends the published name: ".qcow2", "-usb.img"
};

struct Format {
  std::string_view name;
  std::string_view folder;  ///< of the flat names in the store: "images", "isos", ...
  Carrier carrier = Carrier::kDisk;
  SecureBoot secure_boot = SecureBoot::kNone;
  std::span<const FormatFile> files;
  std::string_view description;
  RootPlace root = RootPlace::kDisk;
  /// How much work it is to look inside, for who may choose: 1 is least.
  int effort = 0;
  CompressAs compress = CompressAs::kNone;
  /// QEMU writes to it, or over it: clones stand on it, and it can grow.
  bool is_machine_disk = false;
};

/// All formats, in the order of the reference.
std::span<const Format> formats();
/// The format of that name, or nullptr.
const Format* find_format(std::string_view name);
/// Names of all formats, in the same order.
inline constexpr std::array<std::string_view, 11> kFormatNames{
    "qcow2", "raw", "vmdk", "vhdx", "vdi", "vm", "iso", "usb", "netboot", "rootfs", "oci"};
/// Names of the formats that are machine disks, best first.
std::vector<std::string> machine_disk_names();
/// Suffix of a file of a format. Throws kInternal when the format has no such file.
std::string_view format_suffix(const Format& format, std::string_view role);

}  // namespace imgforge::artifacts
