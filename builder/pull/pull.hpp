// A release from behind a URL into the store, through the catalogue there. It has its name only after
// everything of it was verified; what was downloaded before an interruption is kept in the cache.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/catalogue/client.hpp"
#include "artifacts/store/store.hpp"
#include "builder/fetch/http/context.hpp"

namespace imgforge::pull {

struct PullResult {
  std::string line;
  std::string version;
  std::filesystem::path directory;
  std::string signer;
  bool existed = false;  ///< the store had exactly that release, and it is intact
  std::vector<std::string> warnings;
};

/// The target that `reference` names: LINE (the current one there), LINE@VERSION, or nothing where there is
/// one line. Throws kUsage with what there is, kIntegrity (yanked) for a withdrawn one.
const catalogue::Target& choose_target(const catalogue::Catalogue& catalogue, const std::string& reference);

/// Fetches and verifies the files of a target below `url`, then places them under the store's lock; `current`
/// is left as it is. Of `companions` (names as in artifacts/manifest/companions.hpp) those come along that
/// the server has. Throws kFetch, kIntegrity, kSignature, and kStore when another release has the name.
PullResult pull(const artifacts::Store& store, const std::string& url, const catalogue::Target& target,
                const std::vector<std::string>& companions, const fetch::Context& context,
                const artifacts::ChangeOptions& options);

}  // namespace imgforge::pull
