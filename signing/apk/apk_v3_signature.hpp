// The signatures of files of apk 3: each names its key by the first 16 bytes of the SHA-512 of the bare
// public key, whatever the key's file is called, and is made with SHA-512 (RSA as PKCS #1 v1.5, or ECDSA)
// over the schema of the file, its own head and a digest of the database. Format: apk-v3(5).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "signing/apk/apk_signature.hpp"

namespace imgforge::signing {

/// What a file of apk 3 is signed over.
struct ApkV3Signed {
  std::uint32_t schema = 0;
  std::string_view database;  ///< the content of its block
};

/// Checks all signature blocks: those by unknown keys are passed over, every other one must be good, and one
/// must be there. Throws kSignature: unsigned, unknown key (names its id and the known keys), weak digest,
/// bad signature. Unusable keys among `keys` count as unknown.
ApkSignature verify_apk_v3_signatures(std::span<const std::string> blocks, const ApkV3Signed& file,
                                      const ApkKeys& keys);

/// The id of a key: 16 bytes. Throws kSignature for a key that cannot be used.
std::string apk_v3_key_id(std::string_view key_name, std::string_view pem);

}  // namespace imgforge::signing
