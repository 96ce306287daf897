// Writes the exported tree: releases linked or copied out of the store and verified where they then are, the
// files that clients look for, and the sums over all of it. The tree is made beside the target and changes
// places with it in one system call, so that nobody ever sees half of one; README.md has the protocol.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/store/store.hpp"
#include "builder/export/releases.hpp"
#include "core/cancel.hpp"
#include "core/progress.hpp"
#include "signing/minisign/signer.hpp"

namespace imgforge::exports {

/// kAuto: share the blocks where the file system can, else a further name of the store's file, else a copy.
enum class LinkMode { kAuto, kCopy };
/// What to do about releases without a signature.
enum class Unsigned { kLeaveOut, kInclude };

/// Who signed a release.
struct SignedBy {
  std::string name;        ///< for people
  std::string public_key;  ///< line of the key
};

/// Signs with the user's GPG key.
struct GpgKey {
  std::string fingerprint;
  std::string public_key;  ///< armoured
  std::function<std::string(std::string_view bytes)> detach_sign;
  std::function<std::string(std::string_view bytes)> clear_sign;
};

struct ExportRequest {
  std::filesystem::path target;
  std::string title;
  std::size_t keep_last = 0;  ///< 0: all
  LinkMode link = LinkMode::kAuto;
  Unsigned unsigned_releases = Unsigned::kLeaveOut;
  /// Checks the signatures over `data`; throws kSignature.
  std::function<SignedBy(std::string_view data, const artifacts::Signatures& signatures)> verify;
  /// Signs the tree as a whole, at the time of the newest release, so that equal trees get equal signatures.
  signing::Signer signer;
  std::optional<GpgKey> gpg;
  core::CancelToken cancel;
};

/// How the files of the releases came into the tree.
struct LinkCounts {
  std::size_t shared = 0;  ///< reflinks
  std::size_t linked = 0;  ///< hard links
  std::size_t copied = 0;
};

struct ExportResult {
  std::filesystem::path target;
  Catalogue catalogue;
  std::vector<std::string> left_out;  ///< unsigned releases, as "hello v20261120"
  LinkCounts links;
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};

/// Throws kStore when the target holds what no export made or overlaps the store, kSignature or kIntegrity
/// for a release that does not verify, and kUsage when nothing is left to export. Until the last step the
/// target is as it was.
ExportResult export_tree(const artifacts::Store& store, const ExportRequest& request,
                         core::Progress& progress);

}  // namespace imgforge::exports
