// The public keys that may sign package indexes: those of the verified base and those that the recipe names.
// A key is known by its file name, because signatures of apk 2 name it so; those of apk 3 name it by an id.
#pragma once

#include <filesystem>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "signing/apk/apk_signature.hpp"

namespace imgforge::fetch {

/// File name ("alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub") to PEM text.
using PublicKeys = signing::ApkKeys;

/// Adds the member `entry` of a base tarball, where `reader` stands, if it is a file of `etc/apk/keys` that
/// ends in .pub or .pem.
void add_key_member(PublicKeys& keys, artifacts::TarReader& reader, const artifacts::TarEntry& entry);
/// Throws kSignature when a base had none of these.
void require_keys_of_base(const PublicKeys& keys);
/// Adds key files of the recipe. Throws kSignature for a file that is no PEM public key, has no usable name
/// (.rsa.pub for RSA keys; .pub or .pem for others, which only apk 3 uses), or has the name of another key
/// but not its content; kIo or kPermission when unreadable.
void add_key_files(PublicKeys& keys, const std::vector<std::filesystem::path>& files);

}  // namespace imgforge::fetch
