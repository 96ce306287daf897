// The software bill of materials of a release, made of its manifest and inventory, in the two forms that
// tools read: SPDX 2.3 (ISO/IEC 5962) and CycloneDX 1.6 (ECMA-424), both in JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/store.hpp"
#include "builder/sbom/inventory.hpp"

namespace imgforge::sbom {

inline constexpr std::string_view kSpdxFile = "sbom.spdx.json";
inline constexpr std::string_view kCycloneDxFile = "sbom.cdx.json";

/// Base, packages, models, boot loaders and kernels with versions, licences, digests and package URLs, and
/// the files that no package owns; the base contains the packages that came with it, the image all others.
/// Equal arguments give equal text.
std::string make_spdx(const artifacts::Manifest& manifest, const Inventory& inventory = {});
std::string make_cyclonedx(const artifacts::Manifest& manifest, const Inventory& inventory = {});

/// Both, as documents of a release.
std::vector<artifacts::Document> documents(const artifacts::Manifest& manifest, const Inventory& inventory);

}  // namespace imgforge::sbom
