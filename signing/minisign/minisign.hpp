// Detached signatures in minisign's prehashed form, which a stock `minisign` makes and checks: Ed25519 over
// BLAKE2b-512 of the file, and a second Ed25519 over that signature and the trusted comment. Verification
// fails closed: one exact outline, one algorithm, both signatures good, and the signer among the keys that
// the caller trusts. (Format: https://jedisct1.github.io/minisign/; signing/README.md has the exact bytes.)
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/digest.hpp"
#include "signing/keys/public_key.hpp"
#include "signing/keys/raw_signer.hpp"

namespace imgforge::signing {

/// Bytes of a trusted comment at most (the reference reads its line into 8192 bytes).
inline constexpr std::size_t kMaxTrustedComment = 8192 - 17 - 2;
/// No signature file is longer.
inline constexpr std::size_t kMaxSignatureText = 16 << 10;

/// The fields of a signature file, not yet verified. Nothing in it may be believed.
struct Signature {
  KeyId key_id{};
  Ed25519Signature over_message{};
  std::string trusted_comment;
  Ed25519Signature over_comment{};

  /// Exactly four lines with LF ends, algorithm `ED`, strict base64. Throws kSignature.
  static Signature parse(std::string_view text);
  std::string text() const;
};

/// Who signed, and the comment that the signature covers. Print the comment escaped; parse nothing out of it.
struct VerifiedSignature {
  PublicKey key;
  std::string trusted_comment;
};

/// `timestamp:<unix>\tfile:<name>\thashed`, the comment that minisign itself writes.
std::string usual_trusted_comment(core::UnixTime time, std::string_view file_name);

/// Text of a .minisig for the message with this BLAKE2b-512 digest (core::Hasher streams it). It has been
/// verified against the public key before it is returned. Throws kUsage when the comment is not one line of
/// at most kMaxTrustedComment bytes of UTF-8, or when the digest is another one.
std::string sign(const RawSigner& key, const core::Digest& blake2b512, std::string_view trusted_comment);
std::string sign(const RawSigner& key, std::string_view message, std::string_view trusted_comment);

/// Checks a signature text against the keys in `trusted`. The key id picks the candidates; the 32 key bytes
/// decide. Throws kSignature: no trusted keys, malformed, unknown signer, or bytes that were changed.
VerifiedSignature verify(std::span<const PublicKey> trusted, const core::Digest& blake2b512,
                         std::string_view minisig);
VerifiedSignature verify(std::span<const PublicKey> trusted, std::string_view message,
                         std::string_view minisig);

/// Text of a signature file, bounded. Throws kSignature when it is missing, too large or not a regular file.
std::string read_signature_file(const std::filesystem::path& path);

}  // namespace imgforge::signing
