// Sigstore bundles, version 0.3: a signature of a P-256 key over a file, or a DSSE envelope that it signed,
// as one JSON file that cosign and sigstore-js verify with the public key. The key is named by a hint; there
// is no certificate, no transparency log and no network. (https://github.com/sigstore/protobuf-specs,
// sigstore_bundle.proto and sigstore_common.proto.)
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "signing/formats/p256_key.hpp"

namespace imgforge::signing {

/// Over the bytes of a file.
std::string sigstore_sign(const P256Signer& key, std::string_view message);
/// Over a payload with its type, as DSSE.
std::string sigstore_sign_dsse(const P256Signer& key, std::string_view payload_type,
                               std::string_view payload);

/// The index of the trusted key that made the bundle over `message`. Strict: this media type, a hint, no log
/// entries, the right digest beside the signature. Throws kSignature: kMalformed, kUnknownKey, kBadSignature,
/// kDigestMismatch.
std::size_t sigstore_verify(std::string_view bundle, std::string_view message,
                            std::span<const P256PublicKey> trusted);
/// The same for a bundle that holds an envelope, which must be over just this payload (kWrongSubject).
std::size_t sigstore_verify_dsse(std::string_view bundle, std::string_view payload_type,
                                 std::string_view payload, std::span<const P256PublicKey> trusted);

}  // namespace imgforge::signing
