#include "builder/image/bundle/oci.hpp"

#include <fmt/format.h>

#include <vector>

#include "artifacts/tar/tar.hpp"
#include "builder/image/fs/tar_members.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using artifacts::EntryType;
using artifacts::TarEntry;
using core::Error;
using core::HashAlgorithm;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr const char* kBlobs = "blobs/sha256";
constexpr std::uint64_t kLargestDocument = 4u << 20;

TarEntry member(std::string path, EntryType type, std::int64_t epoch) {
  return tar_member(std::move(path), type, type == EntryType::kDirectory ? 0755 : 0644, epoch);
}

std::string blob_path(const core::Digest& digest) {
  return fmt::format("{}/{}", kBlobs, digest.hex());
}

Json descriptor(const char* type, const core::Digest& digest, std::uint64_t size) {
  return {{"mediaType", type}, {"digest", digest.to_string()}, {"size", size}};
}

Json read_document(const std::map<std::string, std::string>& documents, const std::string& path,
                   const fs::path& file) {
  const auto found = documents.find(path);
  if (found == documents.end()) {
    throw Error(Kind::kImage,
                fmt::format("{} is no OCI image: it has no {}", file.native(), core::escaped(path)));
  }
  return core::parse_json(found->second, path, {kLargestDocument, 32});
}

}  // namespace

core::Digest write_oci(const fs::path& layer, const OciSpec& spec, const fs::path& output,
                       const core::CancelToken& cancel) {
  const core::Digest layer_digest = core::digest_of_file(HashAlgorithm::kSha256, layer);
  const std::string created = core::iso_time(core::UnixTime{std::chrono::seconds{spec.epoch}});
  const Json config{{"architecture", "amd64"},
                    {"os", "linux"},
                    {"created", created},
                    {"config", {{"Cmd", {"/bin/sh"}}, {"Labels", spec.annotations}}},
                    {"rootfs", {{"type", "layers"}, {"diff_ids", {spec.rootfs.to_string()}}}},
                    {"history", Json::array({{{"created", created}, {"created_by", "imgforge"}}})}};
  const std::string config_text = config.dump();
  const core::Digest config_digest = core::digest_of(HashAlgorithm::kSha256, config_text);
  const Json manifest{
      {"schemaVersion", 2},
      {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
      {"config", descriptor("application/vnd.oci.image.config.v1+json", config_digest, config_text.size())},
      {"layers", Json::array({descriptor("application/vnd.oci.image.layer.v1.tar+zstd", layer_digest,
                                         fs::file_size(layer))})},
      {"annotations", spec.annotations}};
  const std::string manifest_text = manifest.dump();
  const core::Digest manifest_digest = core::digest_of(HashAlgorithm::kSha256, manifest_text);
  Json entry =
      descriptor("application/vnd.oci.image.manifest.v1+json", manifest_digest, manifest_text.size());
  entry["annotations"] = {{"org.opencontainers.image.ref.name", spec.name}};
  entry["platform"] = {{"architecture", "amd64"}, {"os", "linux"}};
  const Json index{{"schemaVersion", 2},
                   {"mediaType", "application/vnd.oci.image.index.v1+json"},
                   {"manifests", Json::array({entry})}};
  core::NewFile out(output);
  artifacts::TarWriter tar(out.fd(), output.native());
  tar.add(member("blobs", EntryType::kDirectory, spec.epoch));
  tar.add(member(kBlobs, EntryType::kDirectory, spec.epoch));
  tar.add(member(blob_path(config_digest), EntryType::kFile, spec.epoch), config_text);
  add_file(tar, layer, member(blob_path(layer_digest), EntryType::kFile, spec.epoch), cancel);
  tar.add(member(blob_path(manifest_digest), EntryType::kFile, spec.epoch), manifest_text);
  tar.add(member("index.json", EntryType::kFile, spec.epoch), index.dump());
  tar.add(member("oci-layout", EntryType::kFile, spec.epoch), R"({"imageLayoutVersion":"1.0.0"})");
  tar.finish();
  out.commit();
  return manifest_digest;
}

std::size_t check_oci(const fs::path& file, const core::CancelToken& cancel) {
  artifacts::TarReader reader(file, {});
  TarEntry entry;
  std::map<std::string, std::string> documents;     // small members
  std::map<std::string, std::uint64_t> blob_sizes;  // of blobs whose digest is right
  while (reader.next(entry)) {
    cancel.check();
    if (entry.type != EntryType::kFile) continue;
    core::Hasher hasher(HashAlgorithm::kSha256);
    std::string content;
    std::vector<std::byte> buffer(1 << 20);
    while (const std::size_t n = reader.read(buffer)) {
      hasher.update(std::span(buffer).first(n));
      if (entry.size <= kLargestDocument) content.append(reinterpret_cast<const char*>(buffer.data()), n);
    }
    const core::Digest digest = hasher.finish();
    if (entry.path.starts_with("blobs/")) {
      if (entry.path != blob_path(digest)) {
        throw Error(Kind::kImage, fmt::format("{}: the blob {} holds other bytes than its name says",
                                              file.native(), core::escaped(entry.path)));
      }
      blob_sizes[entry.path] = entry.size;
    }
    if (entry.size <= kLargestDocument) documents[entry.path] = std::move(content);
  }
  read_document(documents, "oci-layout", file);
  const auto path_of = [](const Json& row) {
    return blob_path(core::Digest::parse(row.at("digest").get<std::string>()));
  };
  try {
    const Json index = read_document(documents, "index.json", file);
    const Json manifest = read_document(documents, path_of(index.at("manifests").at(0)), file);
    read_document(documents, path_of(manifest.at("config")), file);
    for (const Json& layer : manifest.at("layers")) {
      const auto found = blob_sizes.find(path_of(layer));
      if (found == blob_sizes.end() || found->second != layer.at("size").get<std::uint64_t>()) {
        throw Error(Kind::kImage, file.native() + " lacks a layer that its manifest names");
      }
    }
    return manifest.at("layers").size();
  } catch (const Json::exception& error) {
    throw Error(Kind::kImage, fmt::format("{} is no OCI image: {}", file.native(), error.what()));
  }
}

}  // namespace imgforge::image
