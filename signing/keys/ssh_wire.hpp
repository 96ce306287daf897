// The encoding that OpenSSH's keys, signatures and agent share: numbers of 32 bits, big-endian, and strings
// with their length before them (RFC 4251, 5), and Ed25519 keys in it (RFC 8709).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "signing/keys/public_key.hpp"

namespace imgforge::signing {

inline constexpr std::string_view kSshEd25519 = "ssh-ed25519";
inline constexpr std::string_view kSshP256 = "ecdsa-sha2-nistp256";  ///< RFC 5656
inline constexpr std::string_view kSshP256Curve = "nistp256";

std::string ssh_number(std::uint32_t value);
/// A string: its length, then its bytes.
std::string ssh_field(std::string_view bytes);
/// Of a key: its kind, then its 32 bytes.
std::string ssh_key_blob(const PublicKey& key);

/// Reads one part after the other; what does not fit is kSignature (Reason::kMalformed).
class SshReader {
 public:
  explicit SshReader(std::string_view bytes) : rest_(bytes) {}
  std::string_view take(std::size_t size);
  std::uint32_t number();
  std::string_view field() { return take(number()); }
  /// Throws when bytes are left.
  void end() const;

 private:
  std::string_view rest_;
};

/// The point in a line of an OpenSSH public key file ("ssh-ed25519 AAAA... comment"). Throws kSignature for
/// any other kind of key.
Ed25519Public parse_ssh_public_key(std::string_view line);

/// Of a key on P-256: its kind, the curve, the uncompressed point.
std::string ssh_p256_blob(std::string_view point);
/// The point in a line that begins with ecdsa-sha2-nistp256; it may be none of the curve. Throws as above.
std::string parse_ssh_p256_key(std::string_view line);

}  // namespace imgforge::signing
