// The signatures of Alpine's v2 indexes and packages: RSA (PKCS #1 v1.5) over the raw bytes of what follows
// the signature's own gzip member. Such a signature says that Alpine made these bytes; it never makes
// anything trusted as imgforge's own. (Format: https://wiki.alpinelinux.org/wiki/Apk_spec)
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "core/digest.hpp"

namespace imgforge::signing {

/// File name of a key, as in "alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub", to its PEM text.
using ApkKeys = std::map<std::string, std::string>;

/// One `.SIGN.*` entry as it stands in the archive.
struct ApkSignatureEntry {
  std::string name;   ///< ".SIGN.RSA.<key>" (SHA-1), ".SIGN.RSA256.<key>", ".SIGN.RSA512.<key>"
  std::string bytes;  ///< the signature itself
};

/// A signature that was checked.
struct ApkSignature {
  std::string key_name;
  core::HashAlgorithm algorithm = core::HashAlgorithm::kSha1;
};

/// Key and algorithm that an entry's name stands for, unchecked. Throws kSignature when it is no RSA
/// signature, or when the key's name is not a plain file name (the name comes from the network).
ApkSignature parse_apk_signature_name(std::string_view entry_name);

/// Checks one signature over `signed_bytes`. Throws kSignature: bad name, unknown key (names it and the known
/// ones), unusable key, algorithm weaker than `weakest`, bad signature.
ApkSignature verify_apk_signature(const ApkSignatureEntry& entry, std::span<const std::byte> signed_bytes,
                                  const ApkKeys& keys,
                                  core::HashAlgorithm weakest = core::HashAlgorithm::kSha1);

/// Checks all entries: those by unknown keys and those weaker than `weakest` are passed over, every other one
/// must be good, and one must be there. Returns the strongest. Throws kSignature.
ApkSignature verify_apk_signatures(std::span<const ApkSignatureEntry> entries,
                                   std::span<const std::byte> signed_bytes, const ApkKeys& keys,
                                   core::HashAlgorithm weakest = core::HashAlgorithm::kSha1);

/// Reads every `*.pub` of a folder. Throws kSignature for a file that holds no usable key, kIo when the
/// folder cannot be read.
ApkKeys load_apk_keys(const std::filesystem::path& folder);

/// Throws kSignature unless the text is the PEM of a public key: RSA of 2048 bits or more, or, for files of
/// apk 3, one on an elliptic curve of 256 or more.
void check_apk_key(std::string_view key_name, std::string_view pem);

/// Whether a usable key is one of RSA, as files of apk 2 are signed with. Throws as check_apk_key.
bool is_rsa_apk_key(std::string_view key_name, std::string_view pem);

/// "6165ee59" for "alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub"; else the name without its suffix.
std::string apk_key_short_id(std::string_view key_name);

/// "RSA-SHA256" and the like.
std::string_view apk_algorithm_name(core::HashAlgorithm algorithm);

}  // namespace imgforge::signing
