// The root file system: the base, with its packages when there are some, customised in a sandbox and
// normalised.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/engine/graph.hpp"
#include "builder/steps/base.hpp"
#include "builder/steps/installed.hpp"
#include "builder/steps/profile.hpp"
#include "core/digest.hpp"

namespace imgforge::steps {

struct RootfsResult {
  core::Digest sha256;  ///< of the normalised tar
  std::uint64_t size = 0;
  std::int64_t epoch = 0;  ///< no time inside is later, in seconds
  std::string isolation;   ///< of the sandbox that made it, as in manifests
  std::string accelerator;
  std::string accelerator_reason;
  std::vector<artifacts::ManifestPackage> packages;  ///< all that are installed, those of the base too
  std::string identity() const;
  std::vector<core::Digest> files() const { return {sha256}; }
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("sha256", self.sha256);
    visit("size", self.size);
    visit("epoch", self.epoch);
    visit("isolation", self.isolation);
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
