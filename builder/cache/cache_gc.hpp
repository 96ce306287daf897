// gc: what the cache holds and nothing needs. Needed is what a manifest of the store, a recorded step, a lock
// or the record of a model names.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <vector>

#include "artifacts/blobs/blob_collector.hpp"
#include "artifacts/store/store.hpp"

namespace imgforge::cache {

struct CacheGcOptions {
  /// Steps that were neither made nor used for so long are forgotten, and nothing younger is removed. Without
  /// it every recorded step counts.
  std::optional<std::chrono::seconds> older_than;
  bool apply = false;
  core::UnixTime now{};
  core::CancelToken cancel;
};

/// Remembers (in `<cache>/locks`, a link named by the path's digest) that a lock of this path is in use: what
/// it names stays for as long as the file is there.
void protect_lock(const std::filesystem::path& cache, const std::filesystem::path& lock);

/// Goes through `cache` (blobs, steps, tmp). `store` may be null: then only steps protect. With `apply` no
/// build may run: kLocked names the one that does.
artifacts::CollectorResult collect_cache(const std::filesystem::path& cache, const artifacts::Store* store,
                                         const CacheGcOptions& options);

}  // namespace imgforge::cache
