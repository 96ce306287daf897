// The passphrase function of minisign secret keys: scrypt (RFC 7914) with its costs given as two limits, from
// which N, r and p follow by libsodium's rule. The limits stand in the key file, so they are bounded here
// before anything is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "signing/primitives/secret_bytes.hpp"

namespace imgforge::signing {

/// Cost limits as libsodium names them. The default is its SENSITIVE level, which `minisign -G` uses: 1 GiB
/// of memory and about three seconds.
struct KdfLimits {
  std::uint64_t operations = 33554432;
  std::uint64_t memory = 1073741824;  ///< bytes
  /// Within what imgforge is willing to compute: 2^15 to 2^27 operations, 16 MiB to 2 GiB.
  bool acceptable() const;
};

/// N, r and p that follow from limits.
struct ScryptParameters {
  std::uint64_t n = 0;
  std::uint32_t r = 8;
  std::uint32_t p = 1;
};
/// `limits` must be acceptable.
ScryptParameters scrypt_parameters(const KdfLimits& limits);

/// `size` bytes derived from the passphrase. Throws kSignature when the limits are not acceptable and
/// kNoSpace when the memory for them is not there.
SecretBytes scrypt_stream(std::string_view passphrase, std::span<const std::uint8_t> salt,
                          const KdfLimits& limits, std::size_t size);

}  // namespace imgforge::signing
