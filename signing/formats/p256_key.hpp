// ECDSA keys on the curve P-256, for signatures in formats that do not take Ed25519. Files: PEM, the secret
// half in PKCS #8 (RFC 5958), the public one as SubjectPublicKeyInfo (RFC 5280).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::signing {

class P256PublicKey {
 public:
  /// Throws kSignature (Reason::kMalformed) for what is no PEM key of that curve.
  static P256PublicKey parse(std::string_view pem);
  static P256PublicKey load(const std::filesystem::path& path);

  /// Whether `signature` (DER, ECDSA with SHA-256) is this key's over `message`.
  bool verify(std::string_view message, std::span<const std::uint8_t> signature) const;
  const std::string& pem() const { return pem_; }
  /// Base64 of the sha256 of the SubjectPublicKeyInfo: what cosign names a key by.
  std::string hint() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
  std::string pem_;
};

class P256Key {
 public:
  static P256Key generate();
  /// Not encrypted; checked like every secret key file. Throws kPermission, kIo, kSignature.
  static P256Key load(const std::filesystem::path& path);
  /// Writes `secret` (mode 0600) and `public_half` (0644): both are new or neither is there. kUsage when a
  /// name is taken.
  void save(const std::filesystem::path& secret, const std::filesystem::path& public_half) const;

  /// DER, verified before it is returned. The nonce is random: two signatures over the same bytes differ.
  std::vector<std::uint8_t> sign(std::string_view message) const;
  P256PublicKey public_key() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace imgforge::signing
