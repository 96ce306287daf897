// A key that is elsewhere, as a file beside its public half: `NAME.signer` says who signs, `NAME.pub` with
// which key. So whatever takes a signing key takes these too. It holds no secret.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "core/process.hpp"
#include "signing/keys/raw_signer.hpp"

namespace imgforge::signing {

inline constexpr std::string_view kSignerSuffix = ".signer";

/// Who signs: an agent, or a program with its arguments.
struct SignerFile {
  enum class Kind { kAgent, kCommand };
  Kind kind = Kind::kAgent;
  std::vector<std::string> command;

  /// JSON: {"imgforge_signer": 1, "agent": true} or {"imgforge_signer": 1, "command": [...]}. Strict; throws
  /// kSignature (Reason::kMalformed).
  static SignerFile parse(std::string_view text);
  std::string text() const;
};

/// Ready to sign as the file says, with the key of the .pub file beside it. The file names a program, so it
/// is checked as a secret key is: a regular file of the caller's that nobody else may write to. Throws
/// kPermission, kSignature, kUsage.
std::shared_ptr<const RawSigner> load_signer(const std::filesystem::path& file,
                                             core::ProcessRunner& processes, const core::CancelToken& cancel);

/// Writes `file` (mode 0600) and `public_half` (0644), both new, after the signer has signed a message that
/// verifies with `key`. Throws kUsage when a name is taken, and as load_signer.
void create_signer(const std::filesystem::path& file, const std::filesystem::path& public_half,
                   const SignerFile& signer, const PublicKey& key, core::ProcessRunner& processes,
                   const core::CancelToken& cancel);

}  // namespace imgforge::signing
