// What a release was made from, as SLSA provenance version 1: recipe, lock, base, indexes, packages, models,
// tools, where programs of the image ran, and every check that was switched off.
// (https://slsa.dev/spec/v1.0/provenance; resource descriptors: in-toto attestation, spec/v1.)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/store.hpp"
#include "builder/provenance/statement.hpp"
#include "signing/minisign/signer.hpp"

namespace imgforge::provenance {

inline constexpr std::string_view kProvenanceFile = "provenance.intoto.jsonl";
inline constexpr std::string_view kProvenanceType = "https://slsa.dev/provenance/v1";
/// What a builder is called that nobody gave a name.
inline constexpr std::string_view kAnyBuilder = "urn:imgforge:builder:unnamed";
/// Builds from a recipe, and releases made from a release; the page of this folder says what their parameters
/// are.
inline constexpr std::string_view kRecipeBuild = "urn:imgforge:build:recipe:1";
inline constexpr std::string_view kDerivation = "urn:imgforge:build:derive:1";

/// The predicate for a manifest that is complete but for its documents, which are `documents`. The released
/// lock among them gives indexes and tools.
core::Json provenance_of(const artifacts::Manifest& manifest,
                         const std::vector<artifacts::Document>& documents, std::string_view builder_id);

/// Adds the signed provenance to the documents of a release. An unsigned release has none: a statement that
/// nobody signed proves nothing.
void add_provenance(std::vector<artifacts::Document>& documents, const artifacts::Manifest& manifest,
                    const signing::Signer& signer, std::string_view builder_id);

/// The provenance of a release whose manifest is trusted, out of its folder. Throws kStore when it has none,
/// and as open_statement.
Statement read_provenance(const std::filesystem::path& directory, const artifacts::Manifest& manifest,
                          const signing::TrustStore& trust);
bool has_provenance(const artifacts::Manifest& manifest);

}  // namespace imgforge::provenance
