// The base of an image: from a release's name in a recipe to a verified tarball or ISO image. Promises about
// it are ranked (recipe before lock before the mirror's own files) and must agree: a difference is a refusal
// that names both sides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/fetch/alpine/alpine_releases.hpp"
#include "builder/fetch/download/downloader.hpp"
#include "builder/fetch/http/context.hpp"

namespace imgforge::fetch {

/// What a lock holds about a base.
struct BaseLock {
  std::string version;  ///< exact
  std::string branch;   ///< folder of the mirror
  std::string url;      ///< tried after the mirrors; may be empty
  core::Digest sha256;
  std::optional<std::uint64_t> size;
};

struct BaseRequest {
  std::string release;  ///< as in the recipe
  std::string arch;
  std::string flavor = std::string(kMiniRootFs);
  std::vector<std::string> mirrors;  ///< in order
  std::optional<core::Digest> pin;   ///< of the recipe
  std::optional<BaseLock> lock;
};

/// Where the base is and what it must be.
struct BaseSource {
  std::string version;  ///< "3.22.2"
  std::string branch;   ///< "v3.22": folder of the mirrors for packages
  std::string arch;
  std::string flavor = std::string(kMiniRootFs);
  std::vector<std::string> urls = {};  ///< in order of trying
  std::vector<Promise> promises = {};  ///< strongest first; never empty
  std::optional<std::uint64_t> size = {};
  /// For people: "alpine-minirootfs 3.22.2".
  std::string title() const { return "alpine-" + flavor + " " + version; }
};

/// Needs no request when the lock, or the pin of an exact version, says enough. Throws kFetch (no mirror
/// answers, no such release), kIntegrity (pin, lock and release file contradict each other), kRecipe (not a
/// release).
BaseSource find_base(const Context& context, const BaseRequest& request);
/// From the cache or the first mirror whose copy keeps all promises. Throws as Downloader::fetch.
artifacts::VerifiedFile fetch_base(const Context& context, const BaseSource& source);

}  // namespace imgforge::fetch
