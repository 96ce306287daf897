// Signatures with the user's GPG key, made by gpg(1): for clients that know OpenPGP and not minisign. The
// secret key stays with gpg-agent, which asks for the passphrase.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::signing {

class GpgSigner {
 public:
  /// Finds the secret key that `id` (fingerprint, key id, address) stands for. `time`: seconds since 1970
  /// that signatures are to tell instead of the present. Throws kSignature when there is no such key or
  /// several. That gpg is installed is for the caller to see to.
  GpgSigner(const std::string& id, std::optional<std::int64_t> time, core::ProcessRunner& processes,
            const core::CancelToken& cancel);

  /// 40 upper-case hexadecimal digits.
  const std::string& fingerprint() const { return fingerprint_; }
  /// The public key, armoured.
  std::string public_key();
  /// Armoured detached signature. Throws kSignature.
  std::string detach_sign(std::string_view text);
  /// The text with its signature around it (RFC 4880, 7). Throws kSignature.
  std::string clear_sign(std::string_view text);

 private:
  core::ProcessResult run(std::vector<std::string> args, std::string_view input);
  std::string sign(const char* how, std::string_view text);

  std::string fingerprint_;
  std::optional<std::int64_t> time_;
  core::ProcessRunner& processes_;
  core::CancelToken cancel_;
};

}  // namespace imgforge::signing
