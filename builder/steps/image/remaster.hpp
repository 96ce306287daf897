// One of Alpine's ISO images with the recipe's configuration added: all that is made of an ISO base.
#pragma once

#include <string>
#include <vector>

#include "builder/engine/graph.hpp"
#include "builder/steps/image/artifact.hpp"
#include "builder/steps/profile/profile.hpp"
#include "builder/steps/root/base.hpp"

namespace imgforge::steps {

struct RemasterResult {
  ArtifactResult artifact;
  std::string kernel;                 ///< release of its first kernel
  std::vector<std::string> packages;  ///< installed when it starts, "name-version"
  std::vector<core::Digest> files() const { return artifact.files(); }
  std::string identity() const { return artifact.identity(); }
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("artifact", self.artifact);
    visit("kernel", self.kernel);
    visit("packages", self.packages);
  }
};

engine::Ref<RemasterResult> add_remaster(engine::Graph& graph, Profile& profile,
                                         engine::Ref<BaseResult> base);

}  // namespace imgforge::steps
