// A key that UEFI firmware trusts: an RSA key with a certificate that it signed itself. Signs EFI programs
// (Authenticode) and firmware variables. Equal inputs give equal bytes: no time and nothing random goes into
// a signature.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/digest.hpp"
#include "signing/primitives/secret_bytes.hpp"

namespace imgforge::signing {

using Bytes = std::vector<std::uint8_t>;

class EfiSigner {
 public:
  /// A new RSA-2048 key (what all firmware takes) with a certificate for `common_name`, valid from the day
  /// before `made` for 20 years.
  static EfiSigner generate(std::string_view common_name, core::UnixTime made);
  /// Loads a PEM key (not encrypted, checked like every secret key file) and its PEM certificate. Throws
  /// kPermission, kIo, or kSignature when they do not belong together or are no RSA key of 2048 bits or more.
  static EfiSigner load(const std::filesystem::path& key, const std::filesystem::path& certificate);
  ~EfiSigner();
  EfiSigner(EfiSigner&&) noexcept;
  EfiSigner& operator=(EfiSigner&&) noexcept;

  SecretBytes key_pem() const;           ///< PKCS #8, not encrypted
  std::string certificate_pem() const;   ///< X.509
  const Bytes& certificate_der() const;  ///< X.509

  /// DER of a PKCS #7 ContentInfo that signs an EFI program by its Authenticode digest, which must be a
  /// SHA-256 (Windows Authenticode Portable Executable Signature Format; UEFI specification 32.2.4).
  Bytes sign_program(const core::Digest& authenticode_sha256) const;
  /// DER of a detached PKCS #7 SignedData over `message`, with SHA-256 and without attributes, as firmware
  /// checks writes to its variables (UEFI specification 8.2.2).
  Bytes sign_message(std::span<const std::uint8_t> message) const;

 private:
  struct State;
  explicit EfiSigner(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace imgforge::signing
