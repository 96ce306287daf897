// What an export consists of, as a value: lines of releases, each a manifest and where its files lie in the
// exported tree. The writers of this folder are pure functions from it to text, so that equal stores give
// equal trees.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "core/digest.hpp"

namespace imgforge::exports {

/// The metadata archive that Incus wants beside a disk (see incus_metadata.hpp).
struct IncusMetadata {
  std::string path;  ///< in the tree
  std::uint64_t size = 0;
  core::Digest sha256;
  core::Digest combined_sha256;  ///< of the archive followed by the disk
};

/// A release whose signature and digests were found good.
struct Release {
  artifacts::Manifest manifest;
  std::string folder;      ///< in the tree: "releases/hello/v20261120"
  std::string signer;      ///< as in "alice (RWQf6L...)"; empty: unsigned
  std::string public_key;  ///< the signer's key as `minisign -P` takes it; empty: unsigned
  std::optional<IncusMetadata> incus;

  /// Path in the tree of a file of the release.
  std::string path_of(std::string_view file) const { return folder + "/" + std::string(file); }
};

/// Releases of one name, the current one first, then backwards in time.
struct Line {
  std::string name;
  std::vector<Release> releases;
};

struct Catalogue {
  std::string title;
  std::vector<Line> lines;  ///< by name, none empty
};

/// The image of that format, or nullptr.
const artifacts::ManifestArtifact* find_image(const Release& release, std::string_view format);
/// The disk that virtual machines start from: qcow2, else raw, else nullptr.
const artifacts::ManifestArtifact* find_disk(const Release& release);
/// True unless the file only accompanies an image, as a block map does.
bool stands_alone(const artifacts::ManifestArtifact& artifact);
/// Bytes that a machine sees of a disk.
std::uint64_t disk_size(const artifacts::ManifestArtifact& artifact);
/// "x86_64": what the packages were built for; a release without packages is of this architecture too.
std::string arch_of(const artifacts::Manifest& manifest);
/// "2026-11-20" and "01:02:03" of the time of the build.
std::string date_of(const artifacts::Manifest& manifest);
std::string time_of(const artifacts::Manifest& manifest);
/// Seconds since 1970 of a time as manifests have it; 0 for another form.
std::int64_t unix_time(const std::string& created);
/// Milliseconds until the last marker of a boot.
std::uint64_t boot_milliseconds(const artifacts::ManifestBoot& boot);
/// Time of the newest build; empty when there is no release.
std::string newest_time(const Catalogue& catalogue);
/// Relative reference of a URL (RFC 3986): all but unreserved characters, '+' and '/' are
/// percent-encoded.
std::string percent_encoded(std::string_view path);

}  // namespace imgforge::exports
