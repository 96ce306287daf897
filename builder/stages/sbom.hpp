// The software bill of materials of a release: SPDX 2.3 in JSON, made of what its manifest says.
#pragma once

#include <string>
#include <string_view>

#include "artifacts/manifest/manifest.hpp"

namespace imgforge::stages {

inline constexpr std::string_view kSbomFile = "sbom.spdx.json";

/// Base, packages and models with versions, digests and package URLs; the base contains the packages that
/// came with it, the image all others. Equal manifests give equal text.
std::string make_sbom(const artifacts::Manifest& manifest);

}  // namespace imgforge::stages
