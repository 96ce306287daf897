// Key files on disk: made so that a secret key is never readable by others and never overwrites another, and
// loaded only when that still holds.
#pragma once

#include <filesystem>

#include "signing/keys/passphrase.hpp"
#include "signing/keys/secret_key.hpp"

namespace imgforge::signing {

/// Writes a key as two files: `secret` (mode 0600, encrypted unless the source says "no passphrase") and
/// `public_half` (0644). Both are new or neither is there. Missing parent folders are made. Throws kUsage
/// when a name is taken, kPermission, kNoSpace, kIo.
void create_key_pair(const std::filesystem::path& secret, const std::filesystem::path& public_half,
                     const SecretKey& key, PassphraseSource& passphrase, const KdfLimits& limits = {});

/// The same for `key`, which was loaded from `source`: its file is copied as it is, with its passphrase.
void copy_key_pair(const std::filesystem::path& source, const std::filesystem::path& secret,
                   const std::filesystem::path& public_half, const SecretKey& key);

/// Loads a secret key; the source is asked only when the file is encrypted. Throws kPermission as
/// open_private_file does, kSignature as SecretKey::parse does.
SecretKey load_secret_key(const std::filesystem::path& path, PassphraseSource& passphrase);

/// Loads a .pub file; links are followed. Throws kSignature when it is not a usable key.
PublicKey load_public_key(const std::filesystem::path& path);

/// A key as people name one: the path of its .pub file, or the 56-character line out of it. Throws
/// kSignature.
PublicKey read_public_key(const std::string& line_or_path);

/// Throws kPermission when `key` lies inside `folder` (both resolved): a secret key in a tree that is
/// published would be published with it.
void refuse_key_inside(const std::filesystem::path& key, const std::filesystem::path& folder);

}  // namespace imgforge::signing
