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
#include "builder/formats/sources.hpp"
#include "builder/image/boot_menu.hpp"
#include "builder/plan/plan.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/model_members.hpp"
#include "builder/stages/profile_sources.hpp"
#include "builder/stages/secure_boot_keys.hpp"
#include "builder/stages/step_runner.hpp"
#include "builder/stages/toolbox.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {

/// A file of a format of the profile, finished and in the blob store.
struct BuiltArtifact {
  std::string format;
  std::string role;  ///< "image", or which of the format's files it is
  artifacts::VerifiedFile file;
  std::uint64_t virtual_size = 0;
  std::map<std::string, std::string> media;
};

/// Everything that a release is made of, short of version and signature.
struct BuiltProfile {
  std::vector<BuiltArtifact> artifacts;
  artifacts::ManifestBase base;
  std::vector<artifacts::ManifestPackage> packages;
  std::vector<artifacts::ManifestModel> models;
  std::string kernel_release;
  std::vector<std::string> kernel_lacks;  ///< modules that some boot paths need and the kernel does not have
  std::string kernel_cmdline;
  std::string accelerator;  ///< that customised the root file system, now or when it was cached
  std::string accelerator_reason;
};

class ProfileBuild {
 public:
  ProfileBuild(Toolbox& tools, const recipe::ResolvedRecipe& recipe, StepRunner& runner,
               std::optional<LockedSources> locked, ListSigner signer);
  ~ProfileBuild();

  /// Makes all formats. Throws core::Error; nothing is left but cached results.
  BuiltProfile run();

 private:
  const plan::Step& step(plan::StepKind kind, const std::string& format = {}) const;
  core::Json rootfs_result();
  core::Json boot_result();
  core::Json squashfs_result();
  /// Results of all formats, in the order of the recipe; what is missing is made at the same time.
  std::vector<core::Json> artifact_results();
  bool wants_squashfs() const;

  const ModelMembers& models();
  /// The rootfs with what joins it.
  image::RootTree tree();
  artifacts::VerifiedFile rootfs();
  image::BootFiles boot_files();
  formats::Ingredients ingredients();
  std::int64_t epoch();

  core::Json make_rootfs();
  core::Json make_boot_files();
  core::Json make_artifact(formats::Sources& sources, const std::string& format);
  core::Json run_artifact(formats::Sources* sources, const std::string& format);
  bool has_files(const core::Json& artifact);
  void make_missing(const std::vector<std::size_t>& missing, std::vector<core::Json>& results);
  void start_appliance_if_surely_needed();

  Toolbox& tools_;
  const recipe::ResolvedRecipe& recipe_;
  StepRunner& runner_;
  ListSigner signer_;
  std::optional<LockedSources> locked_;
  plan::Plan plan_;
  std::optional<SecureBootKeys> secure_boot_;
  core::TempDir work_;
  ProfileSources sources_;
  std::optional<ModelMembers> models_;
  std::optional<core::Json> rootfs_, boot_, squashfs_;
};

}  // namespace imgforge::stages
