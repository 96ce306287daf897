// A whole build: every chosen profile made, optionally booted, and published as a signed release; or the plan
// of it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/store.hpp"
#include "builder/engine/engine.hpp"
#include "builder/lock/lock.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/steps/release/release.hpp"

namespace imgforge::steps {

struct BuildRequest {
  std::vector<recipe::ResolvedRecipe> profiles;
  /// Profiles that it is up to date for are made from exactly what it says.
  std::optional<lock::Lock> lock = {};
  ReleaseRequest release;
};

/// What became of one profile.
struct ProfileOutcome {
  std::string line;
  artifacts::PublishOutcome outcome = artifacts::PublishOutcome::kPublished;
  artifacts::Manifest manifest;                ///< of the release, new or found identical
  std::filesystem::path directory;             ///< of the release
  std::vector<artifacts::ManifestBoot> boots;  ///< of this build's boot tests
  std::vector<engine::StepReport> steps;
};

/// Builds the profiles, side by side as far as the machine allows; what they have in common is done once.
/// Throws the first error in the order of the profiles, with the step as context. What runs beside it ends,
/// nothing else begins; what was published before stays, and other profiles leave the store as it was.
std::vector<ProfileOutcome> build(Toolbox& tools, const BuildRequest& request);

/// What a build of the profile would do, found out without doing it: no request is made, no program of the
/// image runs. What was last seen of mirrors and indexes stands for them.
std::vector<engine::StepOutlook> plan(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                                      const std::optional<LockedSources>& locked, bool is_draft = false);

}  // namespace imgforge::steps
