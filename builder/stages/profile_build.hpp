// The build of one profile: pulls each step's result from what is known, or makes it. A step that nobody
// needs is not run: with the image in the cache neither appliance nor downloads are touched.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/blob_store.hpp"
#include "artifacts/manifest.hpp"
#include "artifacts/store.hpp"
#include "builder/image/disk.hpp"
#include "builder/plan/plan.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/rootfs.hpp"
#include "builder/stages/sources.hpp"
#include "builder/stages/step_runner.hpp"
#include "builder/stages/toolbox.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {

/// A format of the profile, finished and in the blob store.
struct BuiltArtifact {
  std::string format;
  artifacts::VerifiedFile file;
  std::uint64_t virtual_size = 0;
  std::map<std::string, std::string> media;
};

/// Everything that a release is made of, short of version and signature.
struct BuiltProfile {
  std::vector<BuiltArtifact> artifacts;
  artifacts::ManifestBase base;
  std::vector<artifacts::ManifestPackage> packages;
  std::string kernel_release;
  std::string kernel_cmdline;
  std::string accelerator;  ///< that customised the root file system, now or when it was cached
  std::string accelerator_reason;
};

class ProfileBuild {
 public:
  ProfileBuild(Toolbox& tools, const recipe::ResolvedRecipe& recipe, StepRunner& runner);
  ~ProfileBuild();

  /// Makes all formats. Throws core::Error; nothing is left but cached results.
  BuiltProfile run();

 private:
  const plan::Step& step(plan::StepKind kind, const std::string& format = {}) const;
  core::Json packages_result();
  core::Json rootfs_result();
  core::Json boot_result();
  core::Json artifact_result(const std::string& format);

  const BaseOrigin& origin();
  const artifacts::VerifiedFile& base();
  const std::vector<fetch::Repository>& indexes();
  artifacts::VerifiedFile rootfs();
  image::BootFiles boot_files();
  const std::filesystem::path& raw_disk();
  GuestRun& guest();
  std::int64_t epoch();

  core::Json make_packages();
  core::Json make_rootfs();
  core::Json make_boot_files();
  core::Json make_artifact(const std::string& format);
  void start_appliance_if_surely_needed();

  Toolbox& tools_;
  const recipe::ResolvedRecipe& recipe_;
  StepRunner& runner_;
  plan::Plan plan_;
  core::TempDir work_;
  std::optional<BaseOrigin> origin_;
  std::optional<artifacts::VerifiedFile> base_;
  std::int64_t base_newest_ = 0;  ///< newest time inside the base; known with base_
  std::optional<std::vector<fetch::Repository>> indexes_;
  std::optional<core::Json> packages_, rootfs_, boot_;
  std::optional<std::filesystem::path> raw_;
  std::vector<std::string> cmdline_;
  std::unique_ptr<GuestRun> guest_;
};

}  // namespace imgforge::stages
