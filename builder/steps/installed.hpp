// The base with the chosen packages installed and nothing of the recipe's customisation: a result of its own,
// so that a changed file installs no package again and profiles with the same packages install them once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/engine/graph.hpp"
#include "builder/steps/base.hpp"
#include "builder/steps/packages.hpp"
#include "builder/steps/profile.hpp"
#include "core/digest.hpp"

namespace imgforge::steps {

struct InstalledResult {
  core::Digest sha256;  ///< of the normalised tar
  std::uint64_t size = 0;
  std::int64_t epoch = 0;                            ///< no time inside is later, in seconds
  std::string isolation;                             ///< of the sandbox that made it, as in manifests
  std::vector<artifacts::ManifestPackage> packages;  ///< those whose files this build saw
  std::string identity() const;
  std::vector<core::Digest> files() const { return {sha256}; }
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("sha256", self.sha256);
    visit("size", self.size);
    visit("epoch", self.epoch);
    visit("isolation", self.isolation);
    visit("packages", self.packages);
  }
};

/// What a profile with a package manager has beside its base.
struct PackageSteps {
  engine::Ref<Indexes> indexes;
  engine::Ref<PackageChoice> choice;
  engine::Ref<PackageFiles> files;
  engine::Ref<InstalledResult> installed;
};

engine::Ref<InstalledResult> add_installed(engine::Graph& graph, Profile& profile,
                                           engine::Ref<BaseResult> base, engine::Ref<Indexes> indexes,
                                           engine::Ref<PackageChoice> choice,
                                           engine::Ref<PackageFiles> files);

/// The moment that no time in a root file system may exceed: SOURCE_DATE_EPOCH, or that of the newest input.
std::int64_t epoch_of(std::int64_t newest_input);

}  // namespace imgforge::steps
