#include "builder/steps/image/models.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/engine/result.hpp"
#include "builder/recipe/show/show.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"

namespace imgforge::steps {
namespace {

bool is_later(const recipe::Model& model) {
  return model.when == recipe::ModelTime::kFirstBoot;
}

std::string summary_of(const recipe::ResolvedRecipe& recipe) {
  const auto later = std::count_if(recipe.models.begin(), recipe.models.end(), is_later);
  const std::size_t now = recipe.models.size() - static_cast<std::size_t>(later);
  std::string text = fmt::format("{} in the image", now);
  if (later > 0) text += fmt::format(", {} for the first start", later);
  return text;
}

/// Where a model is looked for is not what it is.
std::string parameters_of(const Profile& profile) {
  core::Json models = profile.canonical.json().at("models");
  for (core::Json& model : models) model.erase("mirrors");
  return core::Json{{"models", models}}.dump();
}

}  // namespace

engine::Ref<ModelsResult> add_models(engine::Graph& graph, Profile& profile) {
  engine::Step<ModelsResult> step;
  step.id = profile.id("models");
  step.kind = "models";
  step.summary = summary_of(profile.recipe);
  step.parameters = parameters_of(profile);
  step.freshness = engine::Freshness::kAsked;
  step.lane = kNetworkLane;
  step.unknown = "they were never fetched, or their list is signed anew";
  step.make = [&profile](engine::Context& context) {
    const auto& models = profile.recipe.models;
    // A list for the first start is signed in the build, with a key that a plan does not know.
    if (context.is_plan() && std::any_of(models.begin(), models.end(), is_later))
      throw core::Error(core::Kind::kFetch, "the list of models is signed in the build");
    context.say("looking for them");
    Toolbox tools = profile.tools_for(context);
    return ModelsResult{
        stages::obtain_models(tools, profile.recipe, profile.options.list_signer, profile.options.locked)};
  };
  step.words = [summary = step.summary](const ModelsResult& result) {
    return fmt::format("{} · {} in the image", summary, core::Bytes{result.members.bytes}.human());
  };
  return graph.add(std::move(step), engine::transient<ModelsResult>());
}

}  // namespace imgforge::steps
