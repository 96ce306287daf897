// A container image: the root file system as the one layer of an OCI image layout, in a tar that skopeo,
// podman and containerd read (oci-archive). Formats: OCI image specification 1.0 (image-layout, manifest,
// config); RFC 8878 for the layer's compression.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "core/cancel.hpp"
#include "core/digest.hpp"

namespace imgforge::image {

struct OciSpec {
  std::string name;        ///< org.opencontainers.image.ref.name
  core::Digest rootfs;     ///< sha256 of the uncompressed tar
  std::int64_t epoch = 0;  ///< time of creation that the image tells
  std::map<std::string, std::string> annotations;
};

/// Writes `output` (must not exist; removed again on failure). `layer` is the rootfs tar, zstd compressed.
/// Equal arguments give equal bytes. Returns the digest of the image's manifest.
core::Digest write_oci(const std::filesystem::path& layer, const OciSpec& spec,
                       const std::filesystem::path& output, const core::CancelToken& cancel);

/// Reads the layout and hashes every blob. Returns the number of layers. Throws kImage when a part is
/// missing, a digest is wrong or a name is foreign.
std::size_t check_oci(const std::filesystem::path& file, const core::CancelToken& cancel);

}  // namespace imgforge::image
