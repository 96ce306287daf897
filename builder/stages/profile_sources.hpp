// What one profile is made from: its base, its indexes and the packages that apk chooses for it, each asked
// for when first needed. With a lock nothing is asked and nothing is chosen: the lock has said it all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "artifacts/blob_store.hpp"
#include "builder/fetch/packages.hpp"
#include "builder/guest/apk.hpp"
#include "builder/plan/plan.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/rootfs.hpp"
#include "builder/stages/sources.hpp"
#include "builder/stages/step_runner.hpp"
#include "builder/stages/toolbox.hpp"
#include "core/json.hpp"

namespace imgforge::stages {

class ProfileSources {
 public:
  /// `work` takes the appliance's disks. All references must outlive this.
  ProfileSources(Toolbox& tools, const recipe::ResolvedRecipe& recipe, StepRunner& runner,
                 const plan::Plan& plan, std::filesystem::path work, std::optional<LockedSources> locked);
  ~ProfileSources();

  const BaseOrigin& origin();
  /// The base that the lock `old` has, and packages as they come. Before origin().
  void keep_base(const LockedSources& old);
  const artifacts::VerifiedFile& base();
  /// Empty for the embedded base.
  const std::vector<fetch::Repository>& indexes();
  /// The choice of packages as a recorded result: rows of action, name, version, identity.
  const core::Json& packages();
  /// Makes the choice anew as if only `moving` could change: every other package of the lock `old` stays at
  /// its version, wherever mirrors are by now. Before packages(). Throws kPackage when that cannot be.
  void choose_keeping(const LockedSources& old, const std::vector<std::string>& moving);
  /// The choice as the guest reads it.
  std::vector<guest::PlannedPackage> planned();
  /// The files of the chosen packages.
  std::vector<fetch::FetchedPackage> fetch();
  /// Newest time inside base and packages, in seconds since the epoch: files that are newer are clamped to
  /// it.
  std::int64_t newest();
  /// The appliance takes seconds to start, so it starts beside the downloads when a new root file system is
  /// certain.
  GuestRun& guest();
  void end_guest();

 private:
  const plan::Step& step(plan::StepKind kind) const;
  const fetch::IndexEntry& entry(const std::string& name, const std::string& version);
  core::Json rows_of(const std::vector<guest::PlannedPackage>& planned);

  Toolbox& tools_;
  const recipe::ResolvedRecipe& recipe_;
  StepRunner& runner_;
  const plan::Plan& plan_;
  std::filesystem::path work_;
  std::optional<LockedSources> locked_;
  std::optional<BaseOrigin> origin_;
  std::optional<artifacts::VerifiedFile> base_;
  std::int64_t base_newest_ = 0;  ///< newest time inside the base; known with base_
  std::optional<std::vector<fetch::Repository>> indexes_;
  std::optional<core::Json> packages_;
  std::unique_ptr<GuestRun> guest_;
};

}  // namespace imgforge::stages
