// The root file system: the base, with its packages when there are some, customised in a sandbox and
// normalised.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/engine/graph.hpp"
#include "builder/steps/profile/profile.hpp"
#include "builder/steps/root/base.hpp"
#include "builder/steps/root/installed.hpp"

namespace imgforge::steps {

/// Its isolation names both where the packages came from another sandbox than the customisation.
struct RootfsResult : RootTar {
  std::string accelerator;  ///< of the sandbox that customised
  std::string accelerator_reason;
  std::vector<artifacts::ManifestPackage> packages;  ///< all that are installed, those of the base too
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    RootTar::members(self, visit);
    visit("accelerator", self.accelerator);
    visit("accelerator_reason", self.accelerator_reason);
    visit("packages", self.packages);
  }
};

engine::Ref<RootfsResult> add_rootfs(engine::Graph& graph, Profile& profile, engine::Ref<BaseResult> base,
                                     const std::optional<PackageSteps>& packages);

/// What the recipe's customisation says to a root file system, as JSON.
std::string customisation_parameters(const Profile& profile);
/// What of imgforge itself goes into one.
engine::Tools customisation_tools(const recipe::ResolvedRecipe& recipe);

}  // namespace imgforge::steps
