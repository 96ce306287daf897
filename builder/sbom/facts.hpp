// What both forms say in the same words.
#pragma once

#include <string>
#include <string_view>

#include "artifacts/manifest/manifest.hpp"
#include "builder/sbom/inventory.hpp"

namespace imgforge::sbom {

/// The package URL (purl specification, type apk):
/// "pkg:apk/alpine/busybox@1.36.1-r15?arch=x86_64&distro=3.19.4".
std::string purl_of(const artifacts::ManifestPackage& package, const artifacts::ManifestBase& base);

/// That of a package without version: any of this name.
std::string apk_purl(std::string_view name);
/// That of the release itself (type generic): "pkg:generic/hello-boot@v20261120".
std::string image_purl(const artifacts::Manifest& manifest);

/// Debian's likewise (type deb): "pkg:deb/debian/isolinux@3:6.04-1?arch=all&distro=debian-12". `vendor` and
/// `release` as os-release has them; the release may be empty.
std::string deb_purl(std::string_view package, std::string_view version, std::string_view arch,
                     std::string_view vendor, std::string_view release);

/// Whether a text has the form of an SPDX licence expression (SPDX 2.3, annex D): identifiers joined by AND,
/// OR, WITH and parentheses. Whether SPDX lists the identifiers is not looked at.
bool is_licence_expression(std::string_view text);

/// Where the bytes came from, when that is a URL; else empty.
std::string url_of(const artifacts::ManifestModel& model);
/// One sentence about a model for people.
std::string about(const artifacts::ManifestModel& model);
/// The same about a component, whose purpose SPDX and CycloneDX have no words for.
std::string about(const Component& component);
/// A path as JSON can hold it, with `root` ("/", "./") before it: bytes that are no UTF-8 become \xNN.
std::string shown_path(std::string_view root, const ContentFile& file);
/// That there are more files than `inventory` names; empty: there are none.
std::string left_out_note(const Inventory& inventory);

}  // namespace imgforge::sbom
