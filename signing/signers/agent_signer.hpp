// A key that ssh-agent holds: the secret half never enters this process.
// (https://datatracker.ietf.org/doc/draft-miller-ssh-agent/; keys and signatures: RFC 8709.)
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "core/cancel.hpp"
#include "signing/formats/p256_key.hpp"
#include "signing/keys/raw_signer.hpp"

namespace imgforge::signing {

/// The key of the agent behind `socket` (SSH_AUTH_SOCK) with the 32 bytes of `key`. Throws kSignature when
/// there is no agent, when it does not have that key, and for answers that are none; `patience` is how long
/// one answer may take, since an agent may ask its user.
std::unique_ptr<RawSigner> agent_signer(const std::filesystem::path& socket, const PublicKey& key,
                                        const core::CancelToken& cancel,
                                        std::chrono::milliseconds patience = std::chrono::minutes(2));
/// The same for a key on P-256 (ecdsa-sha2-nistp256, RFC 5656).
std::unique_ptr<P256Signer> agent_p256_signer(const std::filesystem::path& socket, const P256PublicKey& key,
                                              const core::CancelToken& cancel,
                                              std::chrono::milliseconds patience = std::chrono::minutes(2));

}  // namespace imgforge::signing
