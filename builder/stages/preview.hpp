// What a build would do, found out without doing it: no request is made, no program of the image runs. What
// was last seen of mirrors and indexes stands for them.
#pragma once

#include <string>
#include <vector>

#include "builder/plan/plan.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/sources.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::stages {

enum class Outlook {
  kKnown,  ///< a result for these inputs is there
  kAsked,  ///< asked anew in every build, cheaply
  kRun,    ///< would run
};

/// "known", "ask", "run".
std::string_view outlook_name(Outlook outlook);

struct StepOutlook {
  plan::Step step;
  Outlook outlook = Outlook::kRun;
  std::string fingerprint;  ///< hex; empty while inputs are unknown
  std::string why;          ///< kRun: what changed since its last run, or what it waits for
};

std::vector<StepOutlook> preview(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                                 const std::optional<LockedSources>& locked);

}  // namespace imgforge::stages
