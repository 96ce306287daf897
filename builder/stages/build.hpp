// A whole build: every chosen profile made, optionally booted, and published as a signed release.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest.hpp"
#include "artifacts/store.hpp"
#include "builder/image/boot_path.hpp"
#include "builder/lock/lock.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/step_runner.hpp"
#include "builder/stages/toolbox.hpp"
#include "core/clock.hpp"
#include "core/digest.hpp"

namespace imgforge::stages {

/// kRequired: nothing is published that did not boot by every path that its formats claim, also where the
/// kernel cannot take one.
enum class BootTest { kNo, kYes, kRequired };

struct BuildRequest {
  std::vector<recipe::ResolvedRecipe> profiles;
  std::filesystem::path output_dir;
  core::Digest recipe_sha256;  ///< of the recipe file's bytes
  core::UnixTime build_time;
  /// Profiles that it is up to date for are made from exactly what it says.
  std::optional<lock::Lock> lock = {};
  BootTest boot_test = BootTest::kNo;
  /// Only these paths are booted; empty: all that each format claims.
  std::vector<image::BootPath> boot_paths = {};
  /// Text of the .minisig for a file of that name and content; empty: an unsigned release, which its manifest
  /// says.
  std::function<std::string(std::string_view file, std::string_view bytes)> sign;
  std::string public_key = {};  ///< text of the .pub file that belongs to `sign`
  /// As in artifacts::PublishRequest.
  artifacts::SignatureCheck signature = {};
  /// Checks that flags switched off, for the manifests.
  std::vector<std::string> insecure = {};
};

/// What became of one profile.
struct ProfileOutcome {
  std::string line;
  artifacts::PublishOutcome outcome = artifacts::PublishOutcome::kPublished;
  artifacts::Manifest manifest;                ///< of the release, new or found identical
  std::filesystem::path directory;             ///< of the release
  std::vector<artifacts::ManifestBoot> boots;  ///< of this build's boot tests
  std::vector<StepReport> steps;
};

/// Builds the profiles in order. Throws core::Error with the profile as context; what was published before
/// stays, the failed profile leaves the store as it was.
std::vector<ProfileOutcome> build(Toolbox& tools, const BuildRequest& request);

}  // namespace imgforge::stages
