// The public keys that may sign package indexes: those of the verified base and those that the recipe names.
// A key is known by its file name, because apk's signatures name it so.
#pragma once

#include <filesystem>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "signing/apk_signature.hpp"

namespace imgforge::fetch {

/// File name ("alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub") to PEM text.
using PublicKeys = signing::ApkKeys;

/// Adds the member `entry` of a base tarball, where `reader` stands, if it is a `etc/apk/keys/*.rsa.pub`.
void add_key_member(PublicKeys& keys, artifacts::TarReader& reader, const artifacts::TarEntry& entry);
/// Throws kSignature when a base had none of these.
void require_keys_of_base(const PublicKeys& keys);
/// Adds key files of the recipe. Throws kSignature for a file that is no PEM public key, has no usable name,
/// or has the name of another key but not its content; kIo or kPermission when unreadable.
void add_key_files(PublicKeys& keys, const std::vector<std::filesystem::path>& files);

}  // namespace imgforge::fetch
