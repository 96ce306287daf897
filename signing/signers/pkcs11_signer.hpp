// A key on a PKCS #11 token: a smart card, a hardware module, SoftHSM. The module runs in a child process,
// this program started anew for one question, so that one that crashes, hangs or prints harms nothing else,
// and its answers are those of a stranger.
#pragma once

#include <memory>
#include <string_view>

#include "signing/formats/p256_key.hpp"
#include "signing/keys/raw_signer.hpp"
#include "signing/signers/pkcs11_uri.hpp"
#include "signing/signers/signer_access.hpp"

namespace imgforge::signing {

/// What the program is started with to be the child.
inline constexpr std::string_view kPkcs11Child = "--pkcs11-child";
/// The child's whole life: a question on standard input, the answer on standard output. Exit code.
int run_pkcs11_child();

/// The public key beside the private one. Throws kSignature when there is none, as pkcs11_signer else.
Ed25519Public pkcs11_public_key(const Pkcs11Uri& uri, const SignerAccess& access);
P256PublicKey pkcs11_p256_public_key(const Pkcs11Uri& uri, const SignerAccess& access);

/// Ready to sign with the private key that `uri` names: the PIN is asked and tried now, before hours of work.
/// Throws kSignature for a wrong PIN and a missing token or key, kTimeout, kInterrupted.
std::unique_ptr<RawSigner> pkcs11_signer(const Pkcs11Uri& uri, const PublicKey& key,
                                         const SignerAccess& access);
std::unique_ptr<P256Signer> pkcs11_p256_signer(const Pkcs11Uri& uri, const P256PublicKey& key,
                                               const SignerAccess& access);

}  // namespace imgforge::signing
