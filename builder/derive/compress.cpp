// compress_release of derive.hpp.
#include <fmt/format.h>

#include "artifacts/codec/compression.hpp"
#include "artifacts/codec/packed_file.hpp"
#include "artifacts/manifest/formats.hpp"
#include "builder/derive/derivation.hpp"
#include "core/json.hpp"

namespace imgforge::derive {
namespace {

using artifacts::ManifestArtifact;
using core::Error;
using core::Kind;

artifacts::CompressAs compress_as(const ManifestArtifact& artifact) {
  const artifacts::Format* format = artifacts::find_format(artifact.format);
  return format == nullptr ? artifacts::CompressAs::kNone : format->compress;
}

/// True for what there is something to do with.
bool is_compressible(const ManifestArtifact& artifact) {
  if (!is_image(artifact) || artifacts::is_packed(artifact)) return false;
  const artifacts::CompressAs compress = compress_as(artifact);
  if (compress != artifacts::CompressAs::kZstdClusters) return compress == artifacts::CompressAs::kZstdFile;
  const auto compression = artifact.media.find(kCompressionKey);
  return compression == artifact.media.end() || compression->second != kZstd;
}

std::vector<const ManifestArtifact*> compressible(const Source& source,
                                                  const std::vector<std::string>& formats) {
  std::vector<const ManifestArtifact*> chosen;
  for (const std::string& format : formats) {
    check_format_name(format);
    const ManifestArtifact* artifact = source.find(format);
    if (artifact == nullptr) throw source.lacks(format);
    if (!is_compressible(*artifact))
      throw Error(Kind::kUsage,
                  artifact->file + " is compressed already, or is of a format that is as it is");
    chosen.push_back(artifact);
  }
  if (!formats.empty()) return chosen;
  for (const ManifestArtifact& artifact : source.manifest().artifacts) {
    if (is_compressible(artifact)) chosen.push_back(&artifact);
  }
  if (chosen.empty()) {
    throw Error(Kind::kUsage, source.manifest().stem() + " has nothing to compress")
        .hint(
            "raw disks and sticks become zstd files, qcow2 gets zstd clusters; the other formats are "
            "published as they are");
  }
  return chosen;
}

/// The image as a zstd file; manifest and media say what it unpacks to.
MadeFile zstd_file(const Derivation& work, const ManifestArtifact& artifact, int level,
                   const std::filesystem::path& folder) {
  MadeFile made;
  made.path = folder / "made.zst";
  artifacts::compress_zstd(work.source().take(artifact).path(), made.path, level, artifacts::LongMode::kOn,
                           work.tools().cancel);
  made.virtual_size = artifact.virtual_size == 0 ? artifact.size : artifact.virtual_size;
  made.suffix =
      std::string(artifacts::format_suffix(*artifacts::find_format(artifact.format), "image")) + ".zst";
  made.media = carried_media(artifact);
  made.media[kCompressionKey] = kZstd;
  made.media[artifacts::kUnpackedSize] = std::to_string(artifact.size);
  made.media[artifacts::kUnpackedSha256] = artifact.sha256.hex();
  return made;
}

/// The other files of the format go along as they are: a block map describes the unpacked image.
void carry_companions(Derivation& work, const ManifestArtifact& image) {
  for (const ManifestArtifact& artifact : work.source().manifest().artifacts) {
    if (artifact.format == image.format && !is_image(artifact)) work.carry(artifact);
  }
}

}  // namespace

artifacts::PublishResult compress_release(stages::Toolbox& tools, artifacts::Store& store,
                                          const DeriveRequest& request,
                                          const std::vector<std::string>& formats, int level) {
  return core::while_doing("compressing " + request.source.reference(), [&] {
    Derivation work(tools, request);
    for (const ManifestArtifact* origin : compressible(work.source(), formats)) {
      const bool has_clusters = compress_as(*origin) == artifacts::CompressAs::kZstdClusters;
      const std::string how = has_clusters ? "{}" : core::Json{{"level", level}}.dump();
      work.add(*origin, origin->format, how, {},
               [&work, origin, has_clusters, level](const std::filesystem::path& folder) {
                 MadeFile made;
                 if (has_clusters) {
                   work.unpack(*origin, folder / "disk.raw");
                   made = work.pack(folder / "disk.raw", origin->format, *origin, folder);
                 } else {
                   made = zstd_file(work, *origin, level, folder);
                 }
                 made.detail = "zstd, from " + core::Bytes{origin->size}.human();
                 return made;
               });
      if (!has_clusters) carry_companions(work, *origin);
    }
    return work.run(store, "compress", "compress");
  });
}

}  // namespace imgforge::derive
