// How each format of a release is booted: one table, and its counterpart for files that no manifest
// describes.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/vm/boot_path.hpp"
#include "builder/vm/boot_spec.hpp"

namespace imgforge::vm {

/// kSigned: made for UEFI Secure Boot, and so not for BIOS.
enum class BootSigning { kNone, kSigned };

/// What the manifest says of an artifact in `media`: BootSigning::kSigned is {kSigningKey: kSignedValue}.
inline constexpr const char* kSigningKey = "secure_boot";
inline constexpr const char* kSignedValue = "signed";

BootSigning signing_of(const artifacts::ManifestArtifact& artifact);

/// All paths that an artifact of this format claims to boot by; empty for formats that do not boot.
std::vector<BootPath> boot_paths_of(std::string_view format, BootSigning signing = BootSigning::kNone);

/// The paths that the artifacts of a release claim and its manifest has no boot of: "<file> by cd UEFI".
std::vector<std::string> unproven_boots(const artifacts::Manifest& manifest);

/// What QEMU must take the file of a format for.
ImageFormat disk_format_of(std::string_view format);

/// Throws kUsage when an artifact of this format cannot be attached as `path` wants it.
void check_path_fits(const BootPath& path, std::string_view format);

/// Format of a file by its content: "qcow2", "vmdk", "vhdx", "vdi", "iso", "netboot" (a file of a whole
/// netboot set), "usb" or "raw" (both begin with a partition table; a name that ends in "-usb.img" says
/// which). Throws kUsage for a compressed image and for what is no image.
std::string detect_format(const std::filesystem::path& file);

}  // namespace imgforge::vm
