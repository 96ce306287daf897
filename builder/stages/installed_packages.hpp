// All packages of an image for its manifest: what its own database lists, of which the build knows more where
// it fetched the packages itself.
#pragma once

#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "artifacts/manifest/manifest.hpp"

namespace imgforge::stages {

/// The installed packages of a normalised root file system: those of `chosen` first, in their order and with
/// all that is said of them there, then by name what came with the base. A chosen package that is not
/// installed any more, or is in another version, is not listed as chosen. Without a database (the embedded
/// base, or a recipe that removes it) `chosen` as it is. Throws kPackage, kUnsafe for a database that is
/// none.
std::vector<artifacts::ManifestPackage> installed_packages(const artifacts::VerifiedFile& rootfs_tar,
                                                           std::vector<artifacts::ManifestPackage> chosen);

}  // namespace imgforge::stages
