// What everything that fetches works with: the effects, the cache, and how much of both may be used. One
// value, made by the caller once and handed down, so that functions name only what they fetch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/fetch/http/http.hpp"
#include "core/cancel.hpp"
#include "core/digest.hpp"
#include "core/progress.hpp"

namespace imgforge::fetch {

enum class Network { kOnline, kOffline };
/// What becomes of a package index that is older than one that was seen before.
enum class OlderIndex { kRefuse, kAllow };
/// Whether copies of package indexes count that this cache or one on the way has. kAnew: the mirrors are
/// asked, the one that gave the last index after the others.
enum class IndexCopies { kCount, kAnew };

/// What became of one file, for summaries.
struct FetchReport {
  enum class From { kCache, kAnotherRun, kNetwork };
  std::string name;
  From from = From::kCache;
  std::string url = {};  ///< redacted; empty for kCache
  std::uint64_t size = 0;
  std::uint64_t transferred = 0;  ///< in this run
  std::uint64_t resumed = 0;      ///< bytes that an earlier run had left
  double seconds = 0;
  core::Digest sha256 = {};
};

struct Context {
  Http& http;
  artifacts::BlobStore& blobs;
  core::Progress& progress;
  core::CancelToken cancel;
  std::filesystem::path cache;  ///< folder of imgforge's cache; `http/` and `known/` are kept below it
  unsigned jobs = 8;            ///< transfers at a time
  Network network = Network::kOnline;
  const core::Activity* activity = nullptr;  ///< what downloads are parts of; null: they stand alone
  /// Told of every file, once it is there. May be empty.
  std::function<void(const FetchReport&)> report = {};
  unsigned connections = 4;  ///< at a time for one large file
  /// Smaller files come in one stream.
  std::uint64_t spread_from = std::uint64_t{32} << 20;
  OlderIndex older_index = OlderIndex::kRefuse;
  IndexCopies index_copies = IndexCopies::kCount;
};

}  // namespace imgforge::fetch
