// Signatures as OpenSSH makes and checks them (`ssh-keygen -Y`), with the Ed25519 key of minisign: every
// machine with ssh can verify a release. The namespace keeps them apart from signatures of the same key for
// anything else. (https://github.com/openssh/openssh-portable, PROTOCOL.sshsig; key encoding: RFC 8709.)
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "signing/keys/public_key.hpp"
#include "signing/minisign/signer.hpp"

namespace imgforge::signing {

inline constexpr std::string_view kSshNamespace = "imgforge";

/// Armoured text of a signature file over `message`; equal arguments give equal bytes.
std::string ssh_sign(const Signer& signer, std::string_view message);

/// The trusted key that made it. Only one form is accepted: version 1, ssh-ed25519, the namespace above,
/// SHA-512, no bytes behind. Throws kSignature: kMalformed, kWrongSubject (another namespace), kUnknownKey,
/// kBadSignature.
PublicKey ssh_verify(std::string_view text, std::string_view message, std::span<const PublicKey> trusted);

/// A line of the file that `ssh-keygen -Y verify -f` reads: this key, for this namespace alone.
std::string allowed_signers_line(std::string_view name, const PublicKey& key);

}  // namespace imgforge::signing
