// What identifies a package, as indexes, apk's database, locks and manifests write it: "Q1" and base64 of 20
// bytes, "Q2" and base64 of 32. Of a package of apk 2 it is the SHA-1 or SHA-256 of its control member; of
// one of apk 3 the SHA-256 of its database, or 20 bytes of one (apk_v3_package.hpp). apk's database has the
// first 20 bytes of either.
#pragma once

#include <string>
#include <string_view>

#include "core/digest.hpp"

namespace imgforge::fetch {

/// 20 bytes count as SHA-1, whatever they were made with.
std::string identity_text(const core::Digest& identity);
/// Throws kIntegrity for anything else than "Q1..." and "Q2...".
core::Digest parse_identity(std::string_view text);
/// Of the bytes themselves. Throws kIntegrity when they are neither 20 nor 32.
core::Digest identity_of_bytes(std::string_view bytes);
/// As apk's database of installed packages has it.
std::string installed_identity_text(const core::Digest& identity);

}  // namespace imgforge::fetch
