// What a profile is made from, as far as it can be known without the appliance: the base and the verified
// package indexes. Asking is cheap when nothing changed: one conditional request for each release file and
// index, none at all offline.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/fetch/alpine/alpine_base.hpp"
#include "builder/fetch/apk/repository/apk_packages.hpp"
#include "builder/fetch/apk/repository/base_contents.hpp"
#include "builder/lock/lock.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/embedded_base.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::stages {

/// Where the base comes from. Exactly one of the two is set.
struct BaseOrigin {
  std::optional<fetch::BaseSource> alpine;
  std::optional<EmbeddedSource> embedded;
  std::map<std::string, std::string> identity;  ///< what fingerprints hold of it; no URLs, no paths
  std::string title;                            ///< "alpine-minirootfs 3.22.2"
};

/// Where a profile's base and packages are, out of a lock.
struct LockedSources {
  const lock::Lock& lock;
  const lock::LockedProfile& profile;
};

/// What the lock says about a profile; none without lock (null), or when the profile asks for something else
/// by now.
std::optional<LockedSources> usable_lock(const lock::Lock* lock, const recipe::ResolvedRecipe& recipe);

/// Asks the mirrors (alpine) or looks at the host (embedded). A lock answers without any request.
BaseOrigin find_base(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                     const std::optional<LockedSources>& locked);

/// The base's tarball in the blob store: fetched or made, verified, and readable as a root file system.
artifacts::VerifiedFile obtain_base(Toolbox& tools, const BaseOrigin& origin);

/// The indexes of the recipe's repositories, verified with the keys of the base and the recipe; empty for the
/// embedded base. Throws kPackage for an index of apk 3 where the base's apk is older.
std::vector<fetch::Repository> load_indexes(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                                            const BaseOrigin& origin, fetch::BaseContents base);

/// The recipe's repositories with those packages that the lock has for the profile.
std::vector<fetch::Repository> locked_repositories(const recipe::ResolvedRecipe& recipe,
                                                   const BaseOrigin& origin, const LockedSources& locked);

}  // namespace imgforge::stages
