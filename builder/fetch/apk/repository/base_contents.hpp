// What is inside a base's tarball, as far as builds need to know it.
#pragma once

#include <cstdint>
#include <string>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/fetch/apk/apk_keys.hpp"

namespace imgforge::fetch {

struct BaseContents {
  std::int64_t newest = 0;  ///< newest modification time, in seconds since the epoch
  PublicKeys keys;          ///< that sign packages
  std::string apk;          ///< version of its apk-tools ("2.14.4-r1"); empty: not known
};

/// Reads it all under the policy for root file systems, so a base that breaks a rule of archives is refused
/// here.
BaseContents read_base(const artifacts::VerifiedFile& tarball);

}  // namespace imgforge::fetch
