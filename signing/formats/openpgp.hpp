// OpenPGP signatures of files, checked by gpgv(1) with the keys that the caller trusts and no others: never
// by gpg, which would ask the user's keyring and configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::signing {

/// The longest signature file and keyring that are read.
inline constexpr std::size_t kMaxOpenPgpSignature = 64 << 10;
inline constexpr std::size_t kMaxOpenPgpKeyring = 4 << 20;

/// Public keys as gpgv reads them.
struct OpenPgpKeyring {
  std::string bytes;
  std::vector<std::string> fingerprints;  ///< of the primary keys: 40 upper-case hexadecimal digits

  /// From the text or the bytes of an exported key (`gpg --export`, with or without --armor). Keys of version
  /// 4 alone; nothing secret. Throws kSignature (Reason::kMalformed).
  static OpenPgpKeyring parse(std::string_view file);
};

/// The fingerprint of the primary key that made the armoured detached signature `signature` over `message`.
/// One signature, over the bytes as they are, with SHA-2 or SHA-3, by a key that is neither expired nor
/// revoked. Throws kSignature: kMalformed, kUnknownKey, kBadSignature (also for weak digests), kExpired,
/// kRevokedKey; kMachine without gpgv, kTimeout after half a minute.
std::string openpgp_verify(std::string_view signature, std::string_view message,
                           const std::vector<OpenPgpKeyring>& trusted, core::ProcessRunner& processes,
                           const core::CancelToken& cancel);

/// What the lines of `gpgv --status-fd` (doc/DETAILS of GnuPG) mean: the primary fingerprint, or as above.
std::string openpgp_verdict(std::string_view status);

}  // namespace imgforge::signing
