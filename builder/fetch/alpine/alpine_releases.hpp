// Alpine's release files: what the newest release of a branch is, where the file of a flavor (the mini root
// file system, or an ISO image) lies and what its digests are.
// Layout of a mirror: `<mirror>/v3.22/releases/<arch>/latest-releases.yaml`; the rolling branch is `edge`,
// and `latest-stable` is another name of the newest branch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"

namespace imgforge::fetch {

/// What a recipe calls a release, taken apart.
struct ReleaseName {
  std::string folder;   ///< of the mirror: "v3.22", "edge", "latest-stable"
  std::string version;  ///< exact: "3.22.2", "3.22.0_rc1", "20251016"; empty: the newest of the branch
  /// Accepts "3.22", "3.22.2", "3.22.0_rc1", each with or without "v", "edge", its snapshots ("20251016") and
  /// "latest-stable". Throws kRecipe.
  static ReleaseName parse(std::string_view text);
};

/// An entry of latest-releases.yaml, validated.
struct Release {
  std::string branch;   ///< "v3.22" or "edge": also the folder of the packages
  std::string version;  ///< "3.22.2"
  std::string file;     ///< plain file name
  std::uint64_t size = 0;
  core::Digest sha256 = {};
  core::Digest sha512 = {};
};

/// The flavor that root file systems of images are made from; all others are ISO images.
inline constexpr std::string_view kMiniRootFs = "minirootfs";

/// True for a word that can be a flavor: "virt", "standard", "extended".
bool is_flavor(std::string_view text);

/// The entry of flavor alpine-`flavor`. Throws kFetch when `text` is no release file or lacks the entry (the
/// hint lists the flavors that it has), kIntegrity when the entry is malformed or for another branch or
/// architecture; `source` (a URL, redacted) is named.
Release parse_releases(const std::string& text, std::string_view source, const ReleaseName& wanted,
                       std::string_view flavor, std::string_view arch);

/// The digest of `file` in a checksum file as sha256sum and sha512sum write it (text or binary mode, any
/// case, CRLF). Throws kIntegrity with the line when malformed, when `file` is missing, or is there with two
/// digests.
core::Digest parse_checksum_file(std::string_view text, core::HashAlgorithm algorithm, std::string_view file,
                                 std::string_view source);

/// Name of the file of a flavor and exact version on a mirror.
std::string release_file(std::string_view flavor, std::string_view version, std::string_view arch);

}  // namespace imgforge::fetch
