// Whatever holds an Ed25519 key and signs with it: a key in this process, an agent, a token, a program. The
// formats above need nothing else.
#pragma once

#include <cstdint>
#include <span>

#include "signing/keys/public_key.hpp"

namespace imgforge::signing {

class RawSigner {
 public:
  virtual ~RawSigner() = default;
  virtual const PublicKey& public_key() const = 0;
  /// Plain Ed25519 (RFC 8032) over `message`. Whoever uses it verifies what it gives. Throws kSignature when
  /// it cannot or will not sign, kTimeout when it takes too long, kInterrupted.
  virtual Ed25519Signature sign_raw(std::span<const std::uint8_t> message) const = 0;

 protected:
  RawSigner() = default;
  RawSigner(const RawSigner&) = default;
  RawSigner(RawSigner&&) noexcept = default;
  RawSigner& operator=(const RawSigner&) = default;
  RawSigner& operator=(RawSigner&&) noexcept = default;
};

}  // namespace imgforge::signing
