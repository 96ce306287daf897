// The files of an image whose bytes no package brought, going by the image's own package database.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "core/cancel.hpp"
#include "core/digest.hpp"

namespace imgforge::stages {

/// A regular file that no package owns, or that is not what its package brought.
struct UnownedFile {
  std::string path;
  std::string package;  ///< that owns the path; empty: none
  std::uint64_t size = 0;
  core::Digest sha1;
  core::Digest sha256;
};

struct Ownership {
  std::vector<UnownedFile> unowned;  ///< by path
  std::uint64_t left_out = 0;        ///< unowned files beyond the limit
  /// The package of each file of `wanted` that a package owns and brought, by digest.
  std::map<core::Digest, std::string> owners;
};

/// Reads a normalised root file system once. Names at most `limit` unowned files. Without a database no
/// package owns anything. Throws as installed_packages does.
Ownership look_up_owners(const artifacts::VerifiedFile& rootfs_tar, const std::vector<core::Digest>& wanted,
                         std::size_t limit, const core::CancelToken& cancel);

}  // namespace imgforge::stages
