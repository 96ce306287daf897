#include "builder/steps/release/release_lock.hpp"

#include "builder/engine/result.hpp"
#include "builder/lock/stale.hpp"
#include "builder/stages/model_members.hpp"
#include "builder/steps/image/artifact.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "builder/steps/release/lock_rows.hpp"

namespace imgforge::steps {
namespace {

/// What a lock says of one of its profiles. Its models are those of all profiles.
lock::Lock part_of(const LockedSources& locked, const recipe::ResolvedRecipe& recipe) {
  LockWriter writer{std::string(kReleasedRecipe)};
  lock::LockedProfile row = locked.profile;
  if (row.base) row.base = writer.add(locked.lock.bases.at(*row.base));
  if (!row.steps.empty()) {
    for (const lock::LockedIndex& index : locked.lock.indexes) writer.add(index);
  }
  for (const lock::LockedStep& step : row.steps) {
    if (const auto* package = locked.lock.find_package(step.name, step.version)) writer.add(*package);
  }
  for (const recipe::Model& model : recipe.models) {
    if (const auto* found = locked.lock.find_model(model.name, model.source.text)) writer.add(*found);
  }
  writer.add_tools(locked.lock.tools);
  writer.add(std::move(row));
  return writer.finish();
}

lock::Lock lock_of(engine::Context& context, Profile& profile, const BaseSource& source,
                   const BaseResult& base, const ChosenFiles* chosen) {
  const recipe::ResolvedRecipe& recipe = profile.recipe;
  LockWriter writer{std::string(kReleasedRecipe)};
  lock::LockedProfile row;
  row.name = recipe.profile;
  row.request = lock::request_of(recipe);
  if (profile.is_alpine()) add_alpine(writer, row, source, base, chosen, nullptr);
  Toolbox tools = profile.tools_for(context);
  for (const recipe::Model& model : recipe.models) writer.add(stages::obtain_for_lock(tools, recipe, model));
  writer.add_tools(format_tools(profile.tools, recipe));
  writer.add(std::move(row));
  return writer.finish();
}

}  // namespace

engine::Ref<ReleaseLock> add_release_lock(engine::Graph& graph, Profile& profile,
                                          engine::Ref<BaseSource> source, engine::Ref<BaseResult> base,
                                          const std::optional<PackageSteps>& packages,
                                          const std::optional<engine::Ref<ModelsResult>>& models) {
  engine::Step<ReleaseLock> step;
  step.id = profile.id("release lock");
  step.kind = "release lock";
  step.parameters =
      recipe::picked(profile.canonical.json(), {"profile", "base", "packages", "models"}).dump();
  step.is_shown = false;
  step.lane = kNetworkLane;
  if (const auto& locked = profile.options.locked) {
    step.freshness = engine::Freshness::kGiven;
    step.make = [&profile, &locked = *locked](engine::Context&) {
      return ReleaseLock{lock::print_lock(part_of(locked, profile.recipe))};
    };
    return graph.add(std::move(step), engine::recorded<ReleaseLock>());
  }
  step.inputs = {engine::value_of(source), engine::value_of(base)};
  if (packages) {
    step.inputs.push_back(engine::value_of(packages->choice));
    step.inputs.push_back(engine::when_run(packages->indexes));
    step.inputs.push_back(engine::when_run(packages->files));
  }
  if (models) step.inputs.push_back(engine::value_of(*models));
  step.tools = [&profile] {
    engine::Tools tools = format_tools(profile.tools, profile.recipe);
    tools.merge(code_of({"builder/lock"}));
    return tools;
  };
  step.make = [&profile, source, base, packages](engine::Context& context) {
    std::optional<ChosenFiles> chosen;
    if (packages)
      chosen.emplace(
          ChosenFiles{context[packages->indexes], context[packages->choice], context[packages->files]});
    return ReleaseLock{lock::print_lock(
        lock_of(context, profile, context[source], context[base], chosen ? &*chosen : nullptr))};
  };
  return graph.add(std::move(step), engine::recorded<ReleaseLock>());
}

}  // namespace imgforge::steps
