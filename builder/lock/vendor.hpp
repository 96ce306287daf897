// A lock's bytes as a folder to keep: base, packages and the indexes as Alpine signed them (or of one's own,
// over just these packages), laid out like a mirror, with the lock and sums over everything. The same image
// can be built from it when the mirrors are long gone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "builder/fetch/http/context.hpp"
#include "builder/lock/lock.hpp"
#include "signing/apk/apk_signer.hpp"
#include "signing/minisign/signer.hpp"

namespace imgforge::lock {

struct VendorRequest {
  const Lock& lock;
  std::filesystem::path lock_file;  ///< copied beside the rest
  std::filesystem::path target;     ///< new, empty, or of an earlier vendor
  signing::Signer signer;           ///< of the sums; nobody: they are not signed
  /// Makes each folder of packages a repository of exactly these, which stock apk accepts with the key in
  /// `keys/`; Alpine's own index is beside it then, as upstream.APKINDEX.tar.gz. Null: the indexes are
  /// Alpine's.
  const signing::ApkSigner* repository_key = nullptr;
};

struct VendorResult {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::size_t indexes_missing = 0;  ///< that are in the lock and neither cached nor on the mirror any more
};

/// Fetches what the cache lacks, then writes the folder beside `target` and exchanges both. Throws kFetch for
/// what cannot be had, kStore for a target that holds other files, kIntegrity.
VendorResult vendor(const fetch::Context& context, const VendorRequest& request);

/// Takes what the cache lacks of a lock out of such a folder. Throws kIntegrity for a file with other bytes,
/// kFetch when the folder lacks one that the cache lacks, too.
void import_vendored(const fetch::Context& context, const Lock& lock, const std::filesystem::path& folder);

}  // namespace imgforge::lock
