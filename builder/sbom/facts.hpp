// What both forms say in the same words.
#pragma once

#include <string>
#include <string_view>

#include "artifacts/manifest/manifest.hpp"

namespace imgforge::sbom {

/// The package URL (purl specification, type apk):
/// "pkg:apk/alpine/busybox@1.36.1-r15?arch=x86_64&distro=3.19.4".
std::string purl_of(const artifacts::ManifestPackage& package, const artifacts::ManifestBase& base);

/// Whether a text has the form of an SPDX licence expression (SPDX 2.3, annex D): identifiers joined by AND,
/// OR, WITH and parentheses. Whether SPDX lists the identifiers is not looked at.
bool is_licence_expression(std::string_view text);

/// Where the bytes came from, when that is a URL; else empty.
std::string url_of(const artifacts::ManifestModel& model);
/// One sentence about a model for people.
std::string about(const artifacts::ManifestModel& model);

}  // namespace imgforge::sbom
