// The one place that loads and calls PKCS #11 modules (OASIS PKCS #11 2.40; Edwards curves: 3.0). It is used
// by the child process alone: whatever a module does to its process, it does there.
#pragma once

#include <string>
#include <string_view>

#include "signing/primitives/secret_bytes.hpp"
#include "signing/signers/pkcs11_uri.hpp"

namespace imgforge::signing {

enum class TokenKey {
  kEd25519,  ///< plain Ed25519: CKK_EC_EDWARDS, CKM_EDDSA without parameters
  kP256,     ///< ECDSA on P-256 over a digest: CKK_EC, CKM_ECDSA
};

/// What a token says before anybody has logged in.
struct TokenFacts {
  std::string label;
  bool needs_pin = false;  ///< to be given: it asks for one, and has no keys of its own to enter it
};

/// Throws kSignature when no token or several are what `uri` says.
TokenFacts look_at_token(const Pkcs11Uri& uri);

/// CKA_EC_POINT of the public key as it is; empty when it is not there. Throws kSignature as well when
/// several keys are what `uri` says.
std::string public_point_of_token(const Pkcs11Uri& uri, TokenKey kind);

/// Logs in and signs `message` (kP256: a digest) with the private key of that name; an empty message is not
/// signed, only the key looked for. The answer is what the module gave. Throws kSignature.
std::string sign_by_token(const Pkcs11Uri& uri, TokenKey kind, const SecretBytes& pin,
                          std::string_view message);

}  // namespace imgforge::signing
