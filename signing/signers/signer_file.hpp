// A key that is elsewhere, as a file beside its public half: `NAME.signer` says who signs, `NAME.pub` with
// which key. So whatever takes a signing key takes these too. It holds no secret. For the P-256 key of
// Sigstore bundles the two are `NAME.p256-signer` and `NAME.p256.pem`.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "signing/formats/p256_key.hpp"
#include "signing/keys/raw_signer.hpp"
#include "signing/signers/signer_access.hpp"

namespace imgforge::signing {

inline constexpr std::string_view kSignerSuffix = ".signer";
inline constexpr std::string_view kP256SignerSuffix = ".p256-signer";

/// Who signs: an agent, a program with its arguments, or a PKCS #11 token.
struct SignerFile {
  enum class Kind { kAgent, kCommand, kPkcs11 };
  Kind kind = Kind::kAgent;
  std::vector<std::string> command;
  std::string uri;  ///< of the key on its token (RFC 7512)

  /// JSON: {"imgforge_signer": 1, "agent": true}, {"imgforge_signer": 1, "command": [...]} or
  /// {"imgforge_signer": 1, "pkcs11": "pkcs11:..."}. Strict; throws kSignature (Reason::kMalformed).
  static SignerFile parse(std::string_view text);
  std::string text() const;
};

/// Ready to sign as the file says, with the key of the .pub file beside it. The file names a program, so it
/// is checked as a secret key is: a regular file of the caller's that nobody else may write to. Throws
/// kPermission, kSignature, kUsage.
std::shared_ptr<const RawSigner> load_signer(const std::filesystem::path& file, const SignerAccess& access);
/// A program signs with Ed25519 alone: kUsage.
std::shared_ptr<const P256Signer> load_p256_signer(const std::filesystem::path& file,
                                                   const SignerAccess& access);

/// Writes `file` (mode 0600) and `public_half` (0644), both new, after the signer has signed a message that
/// verifies with `key`. Throws kUsage when a name is taken, and as load_signer.
void create_signer(const std::filesystem::path& file, const std::filesystem::path& public_half,
                   const SignerFile& signer, const PublicKey& key, const SignerAccess& access);
void create_p256_signer(const std::filesystem::path& file, const std::filesystem::path& public_half,
                        const SignerFile& signer, const P256PublicKey& key, const SignerAccess& access);

}  // namespace imgforge::signing
