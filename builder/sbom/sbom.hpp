// The software bill of materials of a release, made of what its manifest says, in the two forms that tools
// read: SPDX 2.3 (ISO/IEC 5962) and CycloneDX 1.6 (ECMA-424), both in JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/store.hpp"

namespace imgforge::sbom {

inline constexpr std::string_view kSpdxFile = "sbom.spdx.json";
inline constexpr std::string_view kCycloneDxFile = "sbom.cdx.json";

/// Base, packages and models with versions, licences, digests and package URLs; the base contains the
/// packages that came with it, the image all others. Equal manifests give equal text.
std::string make_spdx(const artifacts::Manifest& manifest);
std::string make_cyclonedx(const artifacts::Manifest& manifest);

/// Both, as documents of a release.
std::vector<artifacts::Document> documents(const artifacts::Manifest& manifest);

}  // namespace imgforge::sbom
