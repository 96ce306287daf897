// What is inside a base's tarball, as far as builds need to know it.
#pragma once

#include <cstdint>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/fetch/apk/apk_keys.hpp"

namespace imgforge::fetch {

struct BaseContents {
  std::int64_t newest = 0;  ///< newest modification time, in seconds since the epoch
  PublicKeys keys;          ///< that sign packages
};

/// Reads it all under the policy for root file systems, so a base that breaks a rule of archives is refused
/// here.
BaseContents read_base(const artifacts::VerifiedFile& tarball);

}  // namespace imgforge::fetch
