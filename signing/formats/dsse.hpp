// The Dead Simple Signing Envelope, version 1: a payload with its type and the signatures over both, so that
// bytes of one kind never pass for another. Signed with the Ed25519 keys of minisign; the key id is a hint.
// (https://github.com/secure-systems-lab/dsse, protocol.md and envelope.md.)
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "signing/keys/public_key.hpp"
#include "signing/minisign/signer.hpp"

namespace imgforge::signing {

/// An envelope of more bytes is not read.
inline constexpr std::size_t kMaxEnvelope = 16 << 20;

struct DsseSignature {
  std::string key_id;  ///< unsigned: says which key to try, nothing more
  std::vector<std::uint8_t> signature;
};

struct DsseEnvelope {
  std::string payload_type;
  std::string payload;
  std::vector<DsseSignature> signatures;

  /// Strict: one JSON object with these members alone, none twice; canonical base64; at least one signature
  /// and at most 32. Throws kSignature (Reason::kMalformed).
  static DsseEnvelope parse(std::string_view text);
  /// One line of JSON with its line end, as files of such envelopes have it.
  std::string text() const;
};

/// What is signed: "DSSEv1", then length and bytes of type and payload.
std::string dsse_message(std::string_view payload_type, std::string_view payload);

/// An envelope with one signature; equal arguments give equal bytes.
DsseEnvelope dsse_sign(const Signer& signer, std::string payload_type, std::string payload);

/// The distinct trusted keys whose signatures are good, in the order of the signatures: two signatures of one
/// key, or one key under two ids, count once. Throws kSignature: another payload type (kWrongSubject), no
/// signature by a trusted key (kUnknownKey), or one that names a trusted key by its id and is wrong
/// (kBadSignature), whatever others say.
std::vector<PublicKey> dsse_verify(const DsseEnvelope& envelope, std::string_view payload_type,
                                   std::span<const PublicKey> trusted);

}  // namespace imgforge::signing
