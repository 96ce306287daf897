#include "builder/inspect/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "artifacts/codec/compression.hpp"
#include "artifacts/manifest/formats.hpp"
#include "artifacts/tar/tar.hpp"
#include "builder/image/fs/rootfs_archive.hpp"
#include "builder/vm/claimed_paths.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::inspect {
namespace {

using artifacts::EntryType;
using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr core::Bytes kLargestUnpacked = core::gib(64);

/// The file, or what it unpacks to when it is a packed disk.
fs::path unpacked(const fs::path& file, const InspectTools& tools) {
  if (!file.native().ends_with(".img.zst")) return file;
  const fs::path target = tools.work / "unpacked.img";
  artifacts::decompress_zstd(file, target, kLargestUnpacked, tools.cancel);
  return target;
}

std::string_view type_name(EntryType type) {
  switch (type) {
    case EntryType::kFile:
      return "file";
    case EntryType::kDirectory:
      return "folder";
    case EntryType::kSymlink:
      return "link";
    case EntryType::kHardlink:
      return "hard link";
    case EntryType::kCharDevice:
      return "character device";
    case EntryType::kBlockDevice:
      return "block device";
    case EntryType::kFifo:
      return "fifo";
  }
  return "?";
}

std::string describe(const artifacts::TarEntry& entry, artifacts::TarReader& reader) {
  std::string text = fmt::format("{} {:04o} {}:{}", type_name(entry.type), entry.mode, entry.uid, entry.gid);
  if (!entry.link_target.empty()) text += " -> " + entry.link_target;
  if (entry.type != EntryType::kFile) return text;
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  std::vector<std::byte> buffer(1 << 18);
  while (const std::size_t n = reader.read(buffer))
    hasher.update(std::span<const std::byte>(buffer).first(n));
  return text + fmt::format(" {} sha256:{}", entry.size, hasher.finish().hex());
}

/// How the name of a file ends whose bytes do not tell its format: tars look alike, and so do packed disks.
/// Empty for others.
std::string ending_of(const artifacts::Format& format) {
  const std::string suffix(format.files.front().suffix);
  using enum artifacts::RootPlace;
  if (format.root == kTar || format.root == kLayers || format.root == kBundle) return suffix;
  return format.compress == artifacts::CompressAs::kZstdFile ? suffix + ".zst" : "";
}

}  // namespace

std::string format_of(const fs::path& file) {
  const std::string name = file.filename();
  std::string best;
  std::size_t matched = 0;
  for (const artifacts::Format& format : artifacts::formats()) {
    const std::string ending = ending_of(format);
    if (ending.empty() || ending.size() <= matched || !name.ends_with(ending)) continue;
    best = format.name;
    matched = ending.size();
  }
  if (matched > 0) return best;
  if (file_system_at(file, 0) == "squashfs") return "squashfs";
  return vm::detect_format(file);
}

Inspection inspect_file(const fs::path& file, const std::string& format, const InspectTools& tools,
                        Checksum checksum) {
  Inspection inspection;
  inspection.size = fs::file_size(file);
  if (checksum == Checksum::kYes)
    inspection.sha256 = core::digest_of_file(core::HashAlgorithm::kSha256, file);
  inspection.artifact = find_root(unpacked(file, tools), format, tools);
  inspection.root = read_root_facts(inspection.artifact.root, tools);
  return inspection;
}

std::map<std::string, std::string> list_files(const fs::path& file, const std::string& format,
                                              const InspectTools& tools) {
  const fs::path tar = root_as_tar(find_root(unpacked(file, tools), format, tools).root, tools);
  std::map<std::string, std::string> files;
  artifacts::TarReader reader(tar, image::rootfs_policy());
  artifacts::TarEntry entry;
  while (reader.next(entry)) {
    tools.cancel.check();
    files[entry.path] = describe(entry, reader);
  }
  return files;
}

const artifacts::ManifestArtifact* easiest_root(const artifacts::Manifest& manifest) {
  const artifacts::ManifestArtifact* easiest = nullptr;
  int least = 0;
  for (const artifacts::ManifestArtifact& artifact : manifest.artifacts) {
    const artifacts::Format* format = artifacts::find_format(artifact.format);
    if (format == nullptr || !artifacts::is_image(artifact) ||
        (easiest != nullptr && least <= format->effort))
      continue;
    easiest = &artifact;
    least = format->effort;
  }
  return easiest;
}

}  // namespace imgforge::inspect
