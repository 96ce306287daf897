// Big files from mirrors into the blob store. A file gets there only after every promise made about it (size,
// digests, the caller's own check) was found kept; a mirror that breaks one is passed over for the next; a
// file that is there already costs no request. Nothing starts over: what arrived is kept below
// `<cache>/partial` and continued by this or a later run, and two processes that want the same file share one
// download.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/fetch/download/chunk_list.hpp"
#include "builder/fetch/download/known_files.hpp"
#include "builder/fetch/http/context.hpp"
#include "builder/fetch/http/mirrors.hpp"
#include "core/digest.hpp"

namespace imgforge::fetch {

/// A digest and who vouches for it ("the recipe", a URL), for messages.
struct Promise {
  core::Digest digest;  ///< sha256 or sha512
  std::string by;
};

struct Download {
  std::string name;                    ///< for messages: "alpine-minirootfs 3.22.2"
  std::vector<std::string> urls = {};  ///< mirrors in order
  std::vector<Promise> promises = {};  ///< all must hold
  std::optional<std::uint64_t> size = {};
  std::uint64_t limit = std::uint64_t{4} << 30;
  /// Name under which KnownFiles remembers the blob when no sha256 is promised; empty: none.
  std::string known_as = {};
  /// Further check of the whole file before it is kept; throws when it fails. May be empty.
  std::function<void(const std::filesystem::path&)> verify = {};
  /// What names the file ("the index https://..."), for messages, and the hint of Unavailable. May be empty.
  std::string named_by = {};
  std::string remedy = {};
  /// Locates damage: when the whole is wrong, only the chunks that are wrong are fetched again.
  std::optional<ChunkList> chunks = {};
};

class Downloader {
 public:
  explicit Downloader(const Context& context);

  /// Throws kIntegrity (both digests, the URL and who promised), kFetch, or what `verify` threw; a mirror's
  /// failure is thrown when no other mirror helps, as Unavailable when all have answered. kNoSpace is thrown
  /// before anything is fetched where sizes are known.
  artifacts::VerifiedFile fetch(const Download& download);
  /// In parallel; results in order of `downloads`. What succeeded stays cached when another one fails.
  std::vector<artifacts::VerifiedFile> fetch_all(const std::vector<Download>& downloads);

 private:
  std::optional<artifacts::VerifiedFile> find_cached(const Download& download);
  void report_cached(const Download& download, const artifacts::VerifiedFile& file) const;

  const Context& context_;
  KnownFiles known_;
};

}  // namespace imgforge::fetch
