// What another builder states when it has built a release again and got the same bytes. The statements lie
// beside the manifest, one a key, and are listed in none.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/check/release_check.hpp"
#include "artifacts/manifest/manifest.hpp"
#include "core/clock.hpp"
#include "signing/minisign/signer.hpp"
#include "signing/trust/trust.hpp"

namespace imgforge::provenance {

inline constexpr std::string_view kRebuiltType = "urn:imgforge:rebuilt:1";

/// Name of the file beside the manifest: `rebuilt.<key id>.intoto.jsonl`.
std::string rebuilt_file(const signing::Signer& signer);
/// The signed statement that whoever signs got just the artifacts of `manifest`, whose file has that digest.
std::string make_rebuilt(const artifacts::Manifest& manifest, const core::Digest& manifest_sha256,
                         std::string_view builder_id, core::UnixTime time, const signing::Signer& signer);

/// All such statements beside a manifest.
struct Rebuilt {
  std::vector<artifacts::CheckRow>
      rows;  ///< one a file, check "rebuilt"; unknown keys are told and do not fail
  std::vector<signing::PublicKey> builders;  ///< the distinct trusted keys whose statements hold
};
/// Each must be about this release's artifacts and this very manifest, and signed by the key that its name
/// tells.
Rebuilt check_rebuilt(const std::filesystem::path& directory, const artifacts::Manifest& manifest,
                      const core::Digest& manifest_sha256, const signing::TrustStore& trust);

}  // namespace imgforge::provenance
