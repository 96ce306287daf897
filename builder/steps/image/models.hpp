// The models of a recipe, fetched and laid out as members of its images.
#pragma once

#include <string>

#include "builder/engine/graph.hpp"
#include "builder/stages/model_members.hpp"
#include "builder/steps/profile/profile.hpp"

namespace imgforge::steps {

struct ModelsResult {
  stages::ModelMembers members;
  /// Digest of what is added where; empty when nothing is.
  std::string identity() const { return members.identity.empty() ? "" : members.identity.hex(); }
};

engine::Ref<ModelsResult> add_models(engine::Graph& graph, Profile& profile);

}  // namespace imgforge::steps
