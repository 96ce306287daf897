// The base with the chosen packages installed and nothing of the recipe's customisation: a result of its own,
// so that a changed file installs no package again and profiles with the same packages install them once.
#pragma once

#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/engine/graph.hpp"
#include "builder/steps/root/base.hpp"
#include "builder/steps/root/packages.hpp"
#include "builder/steps/root/root_tar.hpp"

namespace imgforge::steps {

struct InstalledResult : RootTar {
  std::vector<artifacts::ManifestPackage> packages;  ///< those whose files this build saw
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    RootTar::members(self, visit);
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

}  // namespace imgforge::steps
