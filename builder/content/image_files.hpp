// The root file system inside an image, wherever it is, read file by file from one descriptor: nothing is
// mounted, unpacked to a disk, started or written. For the confined child (confined.hpp): what is read is
// foreign, and the libraries that read it are not trusted to withstand it.
#pragma once

#include <string>
#include <string_view>

#include "artifacts/manifest/manifest.hpp"
#include "builder/content/comparison.hpp"

namespace imgforge::content {

/// Which of a format's files hold a root file system that can be read here.
enum class Readable {
  kYes,
  kNo,      ///< it holds none: kernels, block maps, scripts
  kNotYet,  ///< it holds one, but encoded so that only other programs read it
};
Readable readable(const artifacts::ManifestArtifact& artifact);

/// Hands all files to the comparison, without finishing it. Returns what was read: "ext4 in qcow2". Throws
/// kImage, kArchive and kUnsafe for what is damaged.
std::string read_image(int fd, const std::string& name, std::string_view format, Comparison& comparison);

}  // namespace imgforge::content
