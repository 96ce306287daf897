// The metadata archive of Incus images (https://linuxcontainers.org/incus/docs/main/reference/image_format/):
// a tar.xz with `metadata.yaml`. Incus takes a disk only together with one, and checks the sha256 of both in
// a row.
#pragma once

#include <filesystem>
#include <string>

#include "builder/export/releases.hpp"

namespace imgforge::exports {

/// Bytes of the archive for a release; depends on nothing but the manifest.
std::string make_incus_metadata(const artifacts::Manifest& manifest);

/// sha256 of `metadata` followed by the content of `disk`.
core::Digest combined_sha256(std::string_view metadata, const std::filesystem::path& disk);

}  // namespace imgforge::exports
