// The end of blobs that nobody needs. A BlobStore holds a shared lock on `<root>/.lock` for as long as it
// lives; the collector takes it alone, so that no build loses what it is about to use.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "core/clock.hpp"
#include "core/fd.hpp"

namespace imgforge::artifacts {

/// The shared lock of a user of the blobs. Waits at most a minute while a collector runs, then kLocked.
core::Fd lock_blobs_shared(const std::filesystem::path& root);
/// The lock of a collector. Throws kLocked at once, with the processes that hold the other one when known.
core::Fd lock_blobs_alone(const std::filesystem::path& root);

struct CollectedFile {
  std::filesystem::path path;
  std::uint64_t stored = 0;  ///< bytes of its blocks
  std::string why;           ///< "not needed", "damaged", "unfinished"
};

struct CollectorOptions {
  std::set<std::string> needed;              ///< sha256 of blobs that stay, in hex
  std::optional<core::UnixTime> older_than;  ///< only files last changed before that
  bool apply = false;
  core::CancelToken cancel;
};

struct CollectorResult {
  std::vector<CollectedFile> files;  ///< removed, or what would be
  std::size_t kept = 0;              ///< blobs that stay
  std::uint64_t kept_bytes = 0;      ///< blocks of those
};

/// Looks through `root`: blobs by their names, quarantine, unfinished files. With `apply` the caller holds
/// the collector's lock. What has none of the cache's names is never touched.
CollectorResult collect_blobs(const std::filesystem::path& root, const CollectorOptions& options);

/// Adds every run of exactly 64 lower-case hex digits in a text to `digests`: more than sha256 digests, never
/// fewer.
void add_digests(std::string_view text, std::set<std::string>& digests);

}  // namespace imgforge::artifacts
