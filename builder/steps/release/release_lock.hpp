// The lock that a release keeps: what this one profile was made from.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "builder/engine/graph.hpp"
#include "builder/steps/image/models.hpp"
#include "builder/steps/profile/profile.hpp"
#include "builder/steps/root/base.hpp"
#include "builder/steps/root/installed.hpp"
#include "builder/steps/root/packages.hpp"

namespace imgforge::steps {

/// Files of a release that say what it was made from: the resolved recipe, which is a recipe, and its lock.
inline constexpr std::string_view kReleasedRecipe = "recipe.yaml";
inline constexpr std::string_view kReleasedLock = "recipe.lock.json";

struct ReleaseLock {
  std::string text;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("text", self.text);
  }
};

/// Without packages for a base that brings them, or has none.
engine::Ref<ReleaseLock> add_release_lock(engine::Graph& graph, Profile& profile,
                                          engine::Ref<BaseSource> source, engine::Ref<BaseResult> base,
                                          const std::optional<PackageSteps>& packages,
                                          const std::optional<engine::Ref<ModelsResult>>& models);

}  // namespace imgforge::steps
