// Verification by a signed list of checksums, the form that exported trees and vendored folders have:
// SHA256SUMS as sha256sum(1) writes it, and its signature beside it. And of any file that has its signature
// beside it.
#pragma once

#include <filesystem>

#include "artifacts/check/verify.hpp"

namespace imgforge::artifacts {

/// Bytes of a list at most: some 500,000 files.
inline constexpr std::uint64_t kMaxListBytes = 64 << 20;

struct SumsLine {
  std::string file;
  core::Digest sha256;
};

/// Reads such a list strictly: a checksum in lower-case hexadecimal, two blanks, a clean name below the
/// folder, LF; no name twice, and at least one. Throws kIntegrity (Reason::kMalformed) with the line.
std::vector<SumsLine> parse_sums(std::string_view text);

/// Verifies each file that the SHA256SUMS of a folder lists, on all cores, once the list's signature was
/// accepted; whole files have no row of their own, so that a tree of a thousand releases is read by people.
/// Names lead to regular files below the folder, without links. Files that are not listed are noted or
/// refused as `options.extras` says; signatures of what is listed, companions of manifests and the file
/// called `marker` belong there. Throws only kInterrupted, kInternal and std::bad_alloc.
std::vector<CheckRow> verify_list(const std::filesystem::path& directory, const VerifyOptions& options,
                                  std::string_view marker = {});

/// The signature `<file>.minisig` over the bytes of a file of at most kMaxListBytes.
std::vector<CheckRow> verify_detached(const std::filesystem::path& file, const VerifyOptions& options);

}  // namespace imgforge::artifacts
