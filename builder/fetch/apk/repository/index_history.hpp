// Which edition of each package index was taken last, so that no mirror can set a build back to packages with
// known holes: an old index stays validly signed for ever. Only what the signature covers is compared, never
// this machine's clock. `<cache>/indexes/<sha256 of repository and architecture>.json` has a record for each
// signer, since whoever makes a mirror with other packages signs with another key.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "builder/fetch/apk/apk_index.hpp"
#include "builder/fetch/http/context.hpp"
#include "core/digest.hpp"

namespace imgforge::fetch {

/// True when `got` is an older edition than `seen`: its time is earlier, and its description does not say
/// that it is later. Descriptions are compared when both are as `git describe` writes them
/// ("v3.19.1-642-g9e5b575").
bool is_older(const IndexEdition& got, const IndexEdition& seen);

class IndexHistory {
 public:
  /// `repository`: what is the same on every mirror, as "v3.22/main"; or a whole URL.
  IndexHistory(const Context& context, std::string repository, std::string arch);

  /// Throws kIntegrity when the index from `url` is older than one of the same signer that was taken before;
  /// warns only when the context allows that. Offline nothing is checked: what the cache has was checked when
  /// it came.
  void check(const Index& index, const std::string& url) const;
  /// Writes down that this index was taken from `url`. Of two processes at once the newer edition stays.
  void remember(const Index& index, const std::string& url, const core::Digest& sha256) const;
  /// Moves the URL that an index was last taken from. Offline to the front: work without network then sees
  /// the index that the work before it saw, whichever mirror had answered. For one that is fetched anew to
  /// the end.
  void order(std::vector<std::string>& urls) const;

 private:
  struct Record {
    std::string key_name;
    IndexEdition edition;
    std::string sha256;
  };
  struct State {
    std::string last_url;                   ///< redacted
    std::map<std::string, Record> signers;  ///< by the digest of the key
  };
  enum class Damage { kWarn, kIgnore };
  State load(Damage damage) const;
  void store(const State& state) const;

  const Context& context_;
  std::string repository_;
  std::string arch_;
  std::filesystem::path path_;
};

}  // namespace imgforge::fetch
