#include "builder/steps/release_lock.hpp"

#include <algorithm>

#include "builder/engine/result.hpp"
#include "builder/lock/stale.hpp"
#include "builder/stages/model_members.hpp"
#include "builder/steps/artifact.hpp"
#include "builder/steps/code_digests.hpp"
#include "builder/steps/lock_rows.hpp"

namespace imgforge::steps {
namespace {

/// What a lock says of one of its profiles.
lock::Lock part_of(const LockedSources& locked) {
  LockWriter writer{std::string(kReleasedRecipe)};
  lock::LockedProfile row = locked.profile;
  if (row.base) row.base = writer.add(locked.lock.bases.at(*row.base));
  if (!row.steps.empty()) {
    for (const lock::LockedIndex& index : locked.lock.indexes) writer.add(index);
  }
  for (const lock::LockedStep& step : row.steps) {
    if (const auto* package = locked.lock.find_package(step.name, step.version)) writer.add(*package);
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
  for (const recipe::Marked& format : recipe.formats)
    writer.add_tools(format_tools(profile.tools, recipe, format.value));
  writer.add(std::move(row));
  return writer.finish();
}

/// Models of a lock are those of the recipe that it was made for, of all profiles.
void add_models(lock::Lock& lock, const LockedSources& locked, const recipe::ResolvedRecipe& recipe) {
  LockWriter writer{""};
  for (const recipe::Model& model : recipe.models) {
    if (const auto* found = locked.lock.find_model(model.name, model.source.text)) writer.add(*found);
  }
  lock.models = writer.finish().models;
}

engine::Tools tools_of(Profile& profile) {
  engine::Tools tools;
  for (const recipe::Marked& format : profile.recipe.formats)
    tools.merge(format_tools(profile.tools, profile.recipe, format.value));
  tools.merge(code_of({"builder/lock"}));
  return tools;
}

}  // namespace

engine::Ref<ReleaseLock> add_release_lock(engine::Graph& graph, Profile& profile,
                                          engine::Ref<BaseSource> source, engine::Ref<BaseResult> base,
                                          const std::optional<PackageSteps>& packages,
                                          const std::optional<engine::Ref<ModelsResult>>& models) {
  engine::Step<ReleaseLock> step;
  step.id = profile.id("release lock");
  step.kind = "release lock";
  step.parameters = recipe::picked(profile.canonical.json(), {"base", "packages", "models"}).dump();
  step.is_shown = false;
  step.lane = kNetworkLane;
  if (const auto& locked = profile.options.locked) {
    step.freshness = engine::Freshness::kGiven;
    step.make = [&profile, &locked = *locked](engine::Context&) {
      lock::Lock lock = part_of(locked);
      add_models(lock, locked, profile.recipe);
      return ReleaseLock{lock::print_lock(lock)};
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
  step.tools = [&profile] { return tools_of(profile); };
  step.make = [&profile, source, base, packages](engine::Context& context) {
    std::optional<ChosenFiles> chosen;
    if (packages)
      chosen.emplace(context[packages->indexes], context[packages->choice], context[packages->files]);
    return ReleaseLock{lock::print_lock(
        lock_of(context, profile, context[source], context[base], chosen ? &*chosen : nullptr))};
  };
  return graph.add(std::move(step), engine::recorded<ReleaseLock>());
}

}  // namespace imgforge::steps
