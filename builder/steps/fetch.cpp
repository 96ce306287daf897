#include "builder/steps/fetch.hpp"

#include <algorithm>

#include "builder/steps/profile_graph.hpp"
#include "core/error.hpp"

namespace imgforge::steps {
namespace {

void fetch_profile(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                   const std::optional<lock::Lock>& lock) {
  ProfileOptions options{.locked = stages::usable_lock(lock ? &*lock : nullptr, recipe)};
  Profile profile(tools, recipe, std::move(options));
  const ReleaseRequest request;
  engine::Graph graph;
  const ProfileSteps steps = add_profile(graph, profile, request);
  std::vector<engine::StepIndex> targets{steps.source.index, steps.base.index};
  // What machines fetch at their first start is only described; nobody signs here.
  if (steps.models) targets.insert(targets.begin(), steps.models->index);
  if (steps.packages) targets.push_back(steps.packages->files.index);
  engine::Engine engine(graph, environment_of(tools, BlobCheck::kHashed));
  engine.run(targets);
  // A base that a record knows was not asked for: the downloader had nothing to tell.
  const auto& reports = engine.reports();
  const bool known = std::any_of(reports.begin(), reports.end(), [&](const engine::StepReport& report) {
    return report.id == profile.id("base") && report.state == engine::StepState::kKnown;
  });
  const BaseResult& base = engine[steps.base];
  if (known && tools.on_fetched && profile.is_alpine())
    tools.on_fetched({.name = base.title, .size = base.size, .sha256 = base.sha256});
}

}  // namespace

void fetch_recipe(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                  const std::optional<lock::Lock>& lock) {
  core::while_doing("fetching for " + recipe.line(),
                    [&] { with_current_indexes(tools, [&] { fetch_profile(tools, recipe, lock); }); });
}

}  // namespace imgforge::steps
