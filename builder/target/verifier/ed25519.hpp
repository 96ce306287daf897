// Verification of Ed25519 signatures (RFC 8032, 5.1.7, without the cofactor, as OpenSSL and minisign do it).
#pragma once

#include "builder/target/verifier/hashes.hpp"

namespace imgforge::verifier {

/// True when `signature` (64 bytes) is good for the message under the public key (32 bytes). Refuses keys and
/// numbers in any but their one encoding, and keys of small order, for which anything could be good.
bool verify(const unsigned char* public_key, const unsigned char* message, std::size_t size,
            const unsigned char* signature);

}  // namespace imgforge::verifier
