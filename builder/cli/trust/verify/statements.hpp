// What is signed beside a release's manifest, looked at once the manifest itself is trusted: its signatures
// by further keys and in other formats, provenance, and what other builders state.
#pragma once

#include <filesystem>
#include <vector>

#include "artifacts/check/release_check.hpp"
#include "artifacts/manifest/manifest.hpp"
#include "builder/cli/frame/command.hpp"
#include "builder/policy/policy.hpp"
#include "signing/trust/trust.hpp"

namespace imgforge::cli {

struct Statements {
  std::vector<artifacts::CheckRow> rows;
  std::vector<signing::PublicKey> signers;  ///< the distinct trusted keys that signed the manifest
  bool has_provenance = false;              ///< that is signed by a trusted key and about this release
  unsigned rebuilt_by = 0;                  ///< distinct trusted keys, that of the provenance not among them
};

/// Rows "signature" for further keys and formats, "provenance" and "rebuilt"; none for a release that has
/// neither.
Statements check_statements(Context& context, const std::filesystem::path& directory,
                            const artifacts::SignedManifest& release, const signing::TrustStore& trust);

}  // namespace imgforge::cli
