// Small files that change on the server (indexes, release files, checksum files): kept with what the server
// said to recognise them (RFC 9111 validation), so that an unchanged one costs one conditional request, and
// usable without network. `<cache>/http/<sha256 of URL>.json` describes the body beside it and is believed
// only if the body's digest agrees. Nothing is kept before the caller accepted it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "builder/fetch/http/context.hpp"

namespace imgforge::fetch {

struct CachedFile {
  std::string content;
  std::string url;  ///< the mirror's URL that it came from
};

struct CachedRequest {
  std::string what;                    ///< for messages: "index of main"
  std::vector<std::string> urls = {};  ///< mirrors in order
  std::uint64_t limit = std::uint64_t{1} << 20;
  bool is_anew = false;  ///< copies that are kept here, or by a proxy, do not count
  /// Throws when the content is not what it should be; then the next mirror is tried. May be empty.
  std::function<void(const CachedFile&)> accept = {};
};

class HttpCache {
 public:
  explicit HttpCache(const Context& context);

  /// One file from the first mirror that gives an acceptable one. Throws when none does: kFetch (offline:
  /// "was never fetched"), or what `accept` threw.
  CachedFile get(const CachedRequest& request);
  /// All in parallel; the first that cannot be had throws.
  std::vector<CachedFile> get_all(const std::vector<CachedRequest>& requests);

 private:
  struct Entry {
    Validators validators;
    std::string content;
  };
  struct Work;
  std::optional<Entry> load(const std::string& url, std::uint64_t limit) const;
  void store(const CachedFile& file, const Validators& validators) const;
  void forget(const std::string& url) const;
  void settle(Work& work, const CachedRequest& request, Result& result) const;
  CachedFile get_offline(const CachedRequest& request) const;
  std::filesystem::path stem(const std::string& url) const;

  const Context& context_;
  std::filesystem::path folder_;
};

}  // namespace imgforge::fetch
