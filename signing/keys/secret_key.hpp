// Secret keys in minisign's format, unencrypted or under a passphrase (scrypt). The key exists only in locked
// memory that is wiped; a key file is a hostile input like any other: its costs are bounded and its public
// half is derived again and compared.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "signing/keys/public_key.hpp"
#include "signing/keys/raw_signer.hpp"
#include "signing/primitives/scrypt.hpp"
#include "signing/primitives/secret_bytes.hpp"

namespace imgforge::signing {

class SecretKey : public RawSigner {
 public:
  /// A new key from the kernel's random numbers.
  static SecretKey generate();
  /// The key that `seed` (32 bytes, RFC 8032) stands for, under a key id of the caller's choice.
  static SecretKey from_seed(std::span<const std::uint8_t, 32> seed, const KeyId& id);
  /// Whether the key file's text asks for a passphrase. Throws kSignature like `parse`.
  static bool is_encrypted(std::string_view text);
  /// Parses the text of a key file; the passphrase is not looked at when the key is not encrypted. Throws
  /// kSignature, with messages that tell apart: malformed, unsupported, passphrase needed, wrong passphrase.
  static SecretKey parse(std::string_view text, std::optional<std::string_view> passphrase = {});

  /// Text of a key file: encrypted under the passphrase with a fresh salt, or plain when there is none.
  SecretBytes file_text(std::optional<std::string_view> passphrase, const KdfLimits& limits = {}) const;
  /// The same with a given salt, for reproducing published vectors.
  SecretBytes file_text_with_salt(std::string_view passphrase, const KdfLimits& limits,
                                  const std::array<std::uint8_t, 32>& salt) const;

  const PublicKey& public_key() const override { return public_key_; }
  /// Plain Ed25519 over `message`. Callers want `sign` of minisign.hpp.
  Ed25519Signature sign_raw(std::span<const std::uint8_t> message) const override;

 private:
  SecretKey(SecretBytes seed, const PublicKey& public_key)
      : seed_(std::move(seed)), public_key_(public_key) {}

  /// The 158 bytes of an unencrypted key file.
  SecretBytes plain_raw() const;

  SecretBytes seed_;
  PublicKey public_key_;
};

}  // namespace imgforge::signing
