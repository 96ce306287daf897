// The part of a profile's build that needs the appliance: one start, in which apk resolves the packages,
// installs them, the recipe's customisation is applied and the root file system leaves as a normalised tar.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "artifacts/blob_store.hpp"
#include "builder/fetch/packages.hpp"
#include "builder/guest/apk.hpp"
#include "builder/guest/guest.hpp"
#include "builder/machine/accelerator.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/step_runner.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::stages {

struct GuestResult {
  std::filesystem::path tar;                ///< normalised root file system, in the work folder
  machine::AcceleratorVerdict accelerator;  ///< that really ran
};

class GuestRun {
 public:
  /// Begins to start the appliance and returns at once. `work` takes its disks and must outlive it; `line`
  /// names the log below the cache.
  GuestRun(Toolbox& tools, StepRunner& runner, std::filesystem::path work, const std::string& line);

  /// What apk would do on the base, by its own resolver and the verified indexes. The packages `kept` are
  /// seen in these versions only.
  std::vector<guest::PlannedPackage> resolve(const artifacts::VerifiedFile& base,
                                             const std::vector<fetch::Repository>& repositories,
                                             const recipe::ResolvedRecipe& recipe,
                                             const std::vector<fetch::FetchedPackage>& kept = {});

  /// Installs, customises, cleans and exports; ends the appliance. Times after `latest` are clamped to it.
  GuestResult build(const artifacts::VerifiedFile& base, const std::vector<fetch::Repository>& repositories,
                    const std::vector<guest::PlannedPackage>& plan,
                    const std::vector<fetch::FetchedPackage>& packages, const recipe::ResolvedRecipe& recipe,
                    std::int64_t latest);

 private:
  guest::Guest& guest();
  void unpack(const artifacts::VerifiedFile& base);

  Toolbox& tools_;
  StepRunner& runner_;
  std::filesystem::path work_;
  guest::PendingGuest pending_;
  std::optional<guest::Guest> guest_;
  bool unpacked_ = false;
};

}  // namespace imgforge::stages
