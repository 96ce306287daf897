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

/// An uncompressed point (SEC 1, 2.3.3): the byte 4, then both coordinates.
inline constexpr std::size_t kP256PointSize = 65;

/// The signature of two big-endian numbers of up to 32 bytes, in DER (RFC 3279, 2.2.3).
std::vector<std::uint8_t> ecdsa_der(std::span<const std::uint8_t> r, std::span<const std::uint8_t> s);

class P256PublicKey {
 public:
  /// Throws kSignature (Reason::kMalformed) for what is no PEM key of that curve.
  static P256PublicKey parse(std::string_view pem);
  /// From an uncompressed point; one that is not on the curve is refused as well.
  static P256PublicKey from_point(std::span<const std::uint8_t> point);
  static P256PublicKey load(const std::filesystem::path& path);

  /// Whether `signature` (DER, ECDSA with SHA-256) is this key's over `message`.
  bool verify(std::string_view message, std::span<const std::uint8_t> signature) const;
  const std::string& pem() const { return pem_; }
  /// The uncompressed point.
  std::vector<std::uint8_t> point() const;
  /// Base64 of the sha256 of the SubjectPublicKeyInfo: what cosign names a key by.
  std::string hint() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
  std::string pem_;
};

/// Whatever holds a P-256 key and signs with it: a key in this process, an agent, a token.
class P256Signer {
 public:
  virtual ~P256Signer() = default;
  virtual P256PublicKey public_key() const = 0;
  /// DER, ECDSA with SHA-256, verified before it is returned. The nonce is random: two signatures over the
  /// same bytes differ. Throws kSignature (kBadSignature when it does not verify), kTimeout, kInterrupted.
  std::vector<std::uint8_t> sign(std::string_view message) const;

 protected:
  P256Signer() = default;
  P256Signer(const P256Signer&) = default;
  P256Signer(P256Signer&&) noexcept = default;
  P256Signer& operator=(const P256Signer&) = default;
  P256Signer& operator=(P256Signer&&) noexcept = default;
  virtual std::vector<std::uint8_t> sign_unverified(std::string_view message) const = 0;
};

class P256Key : public P256Signer {
 public:
  static P256Key generate();
  /// Not encrypted; checked like every secret key file. Throws kPermission, kIo, kSignature.
  static P256Key load(const std::filesystem::path& path);
  /// Writes `secret` (mode 0600) and `public_half` (0644): both are new or neither is there. kUsage when a
  /// name is taken.
  void save(const std::filesystem::path& secret, const std::filesystem::path& public_half) const;

  P256PublicKey public_key() const override;

 protected:
  std::vector<std::uint8_t> sign_unverified(std::string_view message) const override;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace imgforge::signing
