// A small file and the minisign signatures beside it: `<file>.minisig`, which has to be there, and those of
// further keys, `<file>.<key id>.minisig`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/check/release_check.hpp"

namespace imgforge::artifacts {

/// Bytes of a regular file of at most `limit`, read once; the file itself may be no link. Throws kIntegrity
/// (missing, malformed), kUnsafe (malformed) when it is larger.
std::string read_bounded(const std::filesystem::path& file, std::uint64_t limit);

/// The texts of all signatures beside `file`, the usual one first and the others in the order of their names.
/// Throws kSignature: unsigned when the usual one is missing, malformed for what is no small regular file, or
/// more than 32.
Signatures read_signatures(const std::filesystem::path& file);

/// Adds the row "signature" of a file that has these bytes. Returns who signed; nothing when it is refused.
std::optional<std::string> check_signatures(std::vector<CheckRow>& rows, const std::filesystem::path& file,
                                            const std::string& bytes, const SignatureCheck& check);

}  // namespace imgforge::artifacts
