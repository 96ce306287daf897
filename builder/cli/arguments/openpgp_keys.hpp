// The OpenPGP keys that a user trusts: exported public keys, `*.asc` and `*.gpg`, in `openpgp/` of the
// folders of trusted keys. They make no release trusted; a signature by one beside a manifest is checked and
// told.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "signing/formats/openpgp.hpp"

namespace imgforge::cli {

/// All of them. A broken file, and one that everybody may write to, is an error, not a key less.
std::vector<signing::OpenPgpKeyring> trusted_openpgp_keys();

/// Puts an exported public key among them as `NAME.gpg`; kUsage when another has that name.
signing::OpenPgpKeyring trust_openpgp_key(const std::filesystem::path& file, const std::string& name);

}  // namespace imgforge::cli
