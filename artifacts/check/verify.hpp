// Verification of published releases and single artifacts. Every doubt is a failed row. Only a manifest whose
// signature was accepted becomes a SignedManifest; what a manifest that nobody vouches for lists is not
// looked at.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/check/release_check.hpp"
#include "artifacts/manifest/manifest.hpp"

namespace imgforge::artifacts {

/// Looks into an artifact; returns a detail to show, or throws core::Error.
using FormatCheck =
    std::function<std::string(const std::filesystem::path& file, const ManifestArtifact& artifact)>;

/// Compares what is in an artifact with what the manifest lists; a row for each finding. Throws kInterrupted.
using ContentCheck = std::function<std::vector<CheckRow>(
    const std::filesystem::path& file, const ManifestArtifact& artifact, const Manifest& manifest)>;

/// What to do about files beside a release that its manifest does not list.
enum class Extras { kNote, kRefuse };

/// Whether files are hashed, or left to the caller (then a report says nothing about their content).
enum class Contents { kHash, kLeave };

struct VerifyOptions {
  SignatureCheck signature;  ///< none: every signature row fails
  FormatCheck format;        ///< none: formats are not looked into
  Extras extras = Extras::kNote;
  Contents contents = Contents::kHash;
  ContentCheck content = {};  ///< none: files inside are not looked at
};

struct VerifyReport {
  std::vector<CheckRow> rows;
  std::optional<SignedManifest> manifest;
  /// The manifest of a release that has no signature and says so: nobody vouches for it.
  std::optional<Manifest> unsigned_manifest;
  /// No failed row, and the manifest's signature was accepted.
  bool ok() const;
};

/// Verifies a release directory (or a link to one, such as `current`, resolved once). Throws only
/// kInterrupted, kInternal and std::bad_alloc.
VerifyReport verify_release(const std::filesystem::path& directory, const VerifyOptions& options);

/// The manifest of a release for whoever acts on what it says: signed so that `signature` accepts it, or of a
/// release that was published unsigned, says so and has no signature. Files are not looked at. Throws
/// kSignature otherwise, kIntegrity when it cannot be read.
Manifest trusted_manifest(const std::filesystem::path& directory, const SignatureCheck& signature);

/// Verifies one artifact. The manifest is looked for beside the file that `path` leads to, then beside `path`
/// itself, unless it is given.
VerifyReport verify_file(const std::filesystem::path& path, const VerifyOptions& options,
                         const std::optional<std::filesystem::path>& manifest = {});

}  // namespace imgforge::artifacts
