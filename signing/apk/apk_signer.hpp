// Signatures that Alpine's apk checks, made with a user's own RSA key (as abuild-keygen and `openssl genrsa`
// write them): for repositories that this program hands out. Such a key says nothing in imgforge's own trust.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "signing/apk/apk_signature.hpp"

namespace imgforge::signing {

class ApkSigner {
 public:
  /// Reads NAME.rsa: the PEM of a private RSA key of 2048 bits or more, without passphrase. Throws
  /// kPermission when others may read it, kSignature when it is something else, kUsage when its name does not
  /// end in ".rsa".
  explicit ApkSigner(const std::filesystem::path& file);
  ~ApkSigner();
  ApkSigner(ApkSigner&&) noexcept;

  /// "NAME.rsa.pub": the name by which apk looks for the public key.
  const std::string& key_name() const { return key_name_; }
  /// PEM text of the public key.
  std::string public_key() const;
  /// With SHA-1, which every apk knows, and with SHA-256. RSA with PKCS #1 v1.5: equal bytes, equal
  /// signatures.
  std::vector<ApkSignatureEntry> sign(std::span<const std::byte> bytes) const;

 private:
  struct Key;
  std::unique_ptr<Key> key_;
  std::string key_name_;
};

}  // namespace imgforge::signing
