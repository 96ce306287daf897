// The public keys of package repositories as OpenSSL holds them; for the sources of this folder only.
#pragma once

#include <string_view>

#include "signing/primitives/openssl.hpp"

namespace imgforge::signing {

/// An RSA key of 2048 bits or more, or one on an elliptic curve of 256 or more (apk 3 takes both, apk 2 only
/// RSA). Throws kSignature for anything else, naming the key.
PkeyHandle read_apk_key(std::string_view key_name, std::string_view pem);

/// The refusal of a key.
core::Error unusable_apk_key(std::string_view key_name, std::string_view why);

/// A plain file name that can stand in a signature.
bool is_apk_key_name(std::string_view name);

}  // namespace imgforge::signing
