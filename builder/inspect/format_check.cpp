#include "builder/inspect/format_check.hpp"

#include <fmt/format.h>

#include "artifacts/codec/compression.hpp"
#include "builder/formats/format.hpp"
#include "core/error.hpp"

namespace imgforge::inspect {
namespace {

/// The image beside a block map.
std::filesystem::path image_of(std::filesystem::path map) {
  return map.replace_extension();
}

/// A disk published as a zstd file: it must unpack to the bytes that the manifest names.
std::string check_packed(const std::filesystem::path& file, const artifacts::ManifestArtifact& artifact,
                         const core::CancelToken& cancel) {
  const auto size = artifact.media.find(artifacts::kUnpackedSize);
  if (size == artifact.media.end())
    throw core::Error(core::Kind::kIntegrity, "the manifest does not say the unpacked size");
  const core::Bytes expected = core::Bytes::parse(size->second);
  const artifacts::UnpackedDigest found = artifacts::digest_zstd(file, expected, cancel);
  if (found.size != expected.value || found.sha256.hex() != artifact.media.at(artifacts::kUnpackedSha256))
    throw core::Error(core::Kind::kIntegrity, "unpacks to other bytes than the manifest names");
  return fmt::format("zstd, unpacks to {} as the manifest says", expected.to_string());
}

/// Where one of both says 0, a machine sees as much as the file has.
void check_virtual_size(const formats::FoundFile& found, const artifacts::ManifestArtifact& artifact) {
  const auto seen = [&](std::uint64_t size) { return core::Bytes{size == 0 ? artifact.size : size}; };
  if (seen(found.virtual_size) != seen(artifact.virtual_size))
    throw core::Error(core::Kind::kIntegrity, fmt::format("holds a disk of {}, the manifest says {}",
                                                          seen(found.virtual_size).to_string(),
                                                          seen(artifact.virtual_size).to_string()));
}

}  // namespace

artifacts::FormatCheck format_check(core::ProcessRunner& processes, const core::CancelToken& cancel) {
  return [&processes, &cancel](const std::filesystem::path& file,
                               const artifacts::ManifestArtifact& artifact) -> std::string {
    const std::string role = artifacts::role_of(artifact);
    if (artifacts::is_packed(artifact)) return check_packed(file, artifact, cancel);
    if (role == "bmap" && !exists(image_of(file)))
      return "block map of an image that is published compressed";
    formats::FoundFile found = formats::find(artifact.format).check(file, role, processes, cancel);
    check_virtual_size(found, artifact);
    return std::move(found.words);
  };
}

}  // namespace imgforge::inspect
