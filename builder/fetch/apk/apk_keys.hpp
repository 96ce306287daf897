// The public keys that may sign package indexes: those of the verified base and those that the recipe names.
// A key is known by its file name, because apk's signatures name it so.
#pragma once

#include <filesystem>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "signing/apk_signature.hpp"

namespace imgforge::fetch {

/// File name ("alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub") to PEM text.
using PublicKeys = signing::ApkKeys;

/// `etc/apk/keys/*.rsa.pub` of a verified base tarball. Throws kSignature when it has none.
PublicKeys keys_of_base(const artifacts::VerifiedFile& base);
/// Adds key files of the recipe. Throws kSignature for a file that is no PEM public key, has no usable name,
/// or has the name of another key but not its content; kIo or kPermission when unreadable.
void add_key_files(PublicKeys& keys, const std::vector<std::filesystem::path>& files);

}  // namespace imgforge::fetch
