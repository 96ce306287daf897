// A build as a value: the steps from recipe to release with what each depends on, made without doing
// anything, so that it can be printed, compared and tested. The executor walks the same list.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/recipe/recipe.hpp"
#include "core/digest.hpp"
#include "core/json.hpp"

namespace imgforge::plan {

/// sha256 over a canonical text of exactly what influences a step's result: kind, the step's own version
/// number, parameters and the digests of its inputs. Never times, paths or host names.
struct Fingerprint {
  core::Digest digest;
  std::string hex() const { return digest.hex(); }
  bool operator==(const Fingerprint&) const = default;
};

enum class StepKind {
  kBase,
  kModels,
  kIndexes,
  kPackages,
  kRootfs,
  kBootFiles,
  kSquashfs,
  kArtifact,
  kBootTest,
  kRelease
};

/// "base", "indexes", ...: used in progress, plans and file names.
std::string_view step_name(StepKind kind);

/// One step of one profile. `parameters` is what the recipe contributes; results of `after` join it when
/// they are known.
struct Step {
  StepKind kind = StepKind::kBase;
  std::string line;     ///< release line, "unhinged-os-minimal"
  std::string format;   ///< kArtifact only: "qcow2"
  std::string summary;  ///< for people: "alpine 3.22 x86_64 minirootfs"
  core::Json parameters;
  std::vector<std::string> after;  ///< ids of the steps whose results it reads

  /// Unique in a plan: "unhinged-os-minimal/rootfs", "unhinged-os-minimal/artifact.qcow2".
  std::string id() const;
};

struct Plan {
  std::vector<Step> steps;
  /// The step with that id; kInternal when there is none.
  const Step& at(std::string_view id) const;
};

/// Whether a format of the recipe is made from the squashfs of its root file system.
bool carries_squashfs(const recipe::ResolvedRecipe& recipe, const std::string& format);

/// Plans one resolved profile. Pure: the same recipe gives the same plan on every machine.
Plan make_plan(const recipe::ResolvedRecipe& recipe);

/// Fingerprint of a step once the results of the steps it depends on are known. `inputs` holds those results,
/// and `tools` the versions of the programs that shape its bytes.
Fingerprint fingerprint(const Step& step, const core::Json& inputs, const core::Json& tools);

/// The canonical text that `fingerprint` hashes; kept with a result so that `--why` can say what changed.
std::string canonical_text(const Step& step, const core::Json& inputs, const core::Json& tools);

/// First difference between two canonical texts in words ("parameters.packages.add gained \"chrony\""); empty
/// when equal.
std::string explain_difference(std::string_view before, std::string_view after);

}  // namespace imgforge::plan
