// An APKINDEX of one's own over packages that were verified before, signed for stock apk. The same packages
// and key give the same bytes. Format: https://wiki.alpinelinux.org/wiki/Apk_spec (index v2), as apk-tools 2
// writes it.
#pragma once

#include <string>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/fetch/apk/apk_index.hpp"
#include "signing/apk/apk_signer.hpp"

namespace imgforge::fetch {

/// A package and what identifies it.
struct IndexedPackage {
  IndexEntry entry;  ///< name, version, arch (that of the folder it lies in), identity, size
  artifacts::VerifiedFile file;
};

/// The bytes of APKINDEX.tar.gz: records in order of names, all else out of each package's .PKGINFO, times
/// those of the newest package. Throws what read_pkginfo does.
std::string make_signed_index(std::vector<IndexedPackage> packages, const std::string& description,
                              const signing::ApkSigner& signer);

}  // namespace imgforge::fetch
