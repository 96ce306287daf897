#include "builder/vm/claimed_paths.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "artifacts/codec/recognise.hpp"
#include "artifacts/manifest/formats.hpp"
#include "builder/vm/netboot_files.hpp"
#include "core/error.hpp"

namespace imgforge::vm {
namespace {

using artifacts::Content;
using core::Error;
using core::Kind;

enum class Claim { kDisk, kHybrid, kStick, kKernel };

/// One format: what it claims and how QEMU reads it.
struct Row {
  std::string_view format;
  Claim claim;
  ImageFormat disk_format;
};

constexpr std::array kRows{
    Row{"qcow2", Claim::kDisk, ImageFormat::kQcow2}, Row{"raw", Claim::kDisk, ImageFormat::kRaw},
    Row{"vmdk", Claim::kDisk, ImageFormat::kVmdk},   Row{"vhdx", Claim::kDisk, ImageFormat::kVhdx},
    Row{"vdi", Claim::kDisk, ImageFormat::kVdi},     Row{"iso", Claim::kHybrid, ImageFormat::kRaw},
    Row{"usb", Claim::kStick, ImageFormat::kRaw},    Row{"netboot", Claim::kKernel, ImageFormat::kRaw},
};

const Row* find_row(std::string_view format) {
  const auto* row =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.format == format; });
  return row == kRows.end() ? nullptr : row;
}

std::vector<BootPath> paths_of(Claim claim) {
  switch (claim) {
    case Claim::kDisk:
      return {{Attachment::kDisk, Firmware::kBios}, {Attachment::kDisk, Firmware::kUefi}};
    case Claim::kHybrid:
      return {{Attachment::kCd, Firmware::kBios},
              {Attachment::kCd, Firmware::kUefi},
              {Attachment::kStick, Firmware::kBios},
              {Attachment::kStick, Firmware::kUefi}};
    case Claim::kStick:
      return {{Attachment::kStick, Firmware::kBios}, {Attachment::kStick, Firmware::kUefi}};
    case Claim::kKernel:
      return {{Attachment::kKernel, Firmware::kBios}};
  }
  return {};
}

}  // namespace

std::vector<BootPath> boot_paths_of(std::string_view format, BootSigning signing) {
  const Row* row = find_row(format);
  if (row != nullptr && row->claim == Claim::kDisk && signing == BootSigning::kSigned)
    return {{Attachment::kDisk, Firmware::kUefi}, {Attachment::kDisk, Firmware::kSecureBoot}};
  return row == nullptr ? std::vector<BootPath>{} : paths_of(row->claim);
}

BootSigning signing_of(const artifacts::ManifestArtifact& artifact) {
  const auto word = artifact.media.find(kSigningKey);
  const bool is_signed = word != artifact.media.end() && word->second == kSignedValue;
  return is_signed ? BootSigning::kSigned : BootSigning::kNone;
}

std::vector<std::string> unproven_boots(const artifacts::Manifest& manifest) {
  std::vector<std::string> unproven;
  for (const artifacts::ManifestArtifact& artifact : manifest.artifacts) {
    const auto role = artifact.media.find("role");
    const artifacts::Format* format = artifacts::find_format(artifact.format);
    // The first file of a format stands for all of them.
    if (format == nullptr || (role != artifact.media.end() && role->second != format->files.front().role))
      continue;
    for (const BootPath& path : boot_paths_of(artifact.format, signing_of(artifact))) {
      const std::string name = boot_path_name(path);
      const bool seen = std::any_of(
          manifest.boots.begin(), manifest.boots.end(),
          [&](const artifacts::ManifestBoot& b) { return b.artifact == artifact.file && b.path == name; });
      if (!seen) unproven.push_back(artifact.file + " by " + name);
    }
  }
  return unproven;
}

ImageFormat disk_format_of(std::string_view format) {
  const Row* row = find_row(format);
  return row == nullptr ? ImageFormat::kRaw : row->disk_format;
}

void check_path_fits(const BootPath& path, std::string_view format) {
  const bool set = format == "netboot";
  const bool wants_set = path.attachment == Attachment::kKernel || path.attachment == Attachment::kNetwork;
  const bool wants_raw = path.attachment == Attachment::kCd || path.attachment == Attachment::kStick;
  if (set != wants_set || (wants_raw && disk_format_of(format) != ImageFormat::kRaw)) {
    throw Error(Kind::kUsage,
                fmt::format("an artifact of the format {} has no path \"{}\"", format, boot_path_name(path)));
  }
}

std::string detect_format(const std::filesystem::path& file) {
  if (is_netboot_set(file)) return "netboot";
  const auto refuse = [&](std::string_view why) {
    return Error(Kind::kUsage, fmt::format("{} {}", file.native(), why));
  };
  const Content content = artifacts::recognise_file(file, artifacts::Among::kFiles);
  switch (content) {
    case Content::kGzip:
    case Content::kXz:
    case Content::kZstd:
    case Content::kBzip2:
      throw refuse("is compressed: unpack it first");
    case Content::kTar:
      throw refuse("is an archive: unpack it first");
    case Content::kKernel:
      throw refuse("is a kernel without the other files of a netboot set beside it");
    case Content::kPartitions:
      return file.native().ends_with("-usb.img") ? "usb" : "raw";
    case Content::kUnknown:
      break;
    default:
      return std::string(artifacts::content_name(content));
  }
  throw Error(Kind::kUsage, fmt::format("{} is no image that can be booted", file.native()))
      .hint("bootable are disk images (raw, qcow2, vmdk, vhdx, vdi), ISO images and netboot sets");
}

}  // namespace imgforge::vm
