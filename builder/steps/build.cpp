#include "builder/steps/build.hpp"

#include <list>
#include <set>

#include "builder/steps/profile_graph.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::steps {
namespace {

ProfileOptions options_for(const BuildRequest& request, const recipe::ResolvedRecipe& recipe) {
  ProfileOptions options{.locked = stages::usable_lock(request.lock ? &*request.lock : nullptr, recipe)};
  options.is_draft = request.release.is_draft;
  options.list_signer = {request.release.signer, request.release.build_time,
                         core::source_date_epoch().has_value()};
  return options;
}

ProfileOutcome outcome_of(const engine::Graph& graph, const engine::Engine& engine, const Profile& profile,
                          const ProfileSteps& steps) {
  const ReleaseResult& result = engine[steps.release];
  ProfileOutcome outcome;
  outcome.line = profile.recipe.line();
  outcome.outcome = result.published.outcome;
  outcome.manifest = result.published.manifest;
  outcome.directory = result.published.directory;
  outcome.boots = result.boots;
  std::set<std::string> own;
  for (const engine::StepIndex index : graph.needed_by(steps.release.index))
    own.insert(graph.steps()[index].id);
  for (const engine::StepReport& report : engine.reports()) {
    if (own.contains(report.id)) outcome.steps.push_back(report);
  }
  return outcome;
}

/// Builds the profiles that have no outcome yet; those that were published before another one failed get
/// theirs.
void build_missing(Toolbox& tools, const BuildRequest& request,
                   std::vector<std::optional<ProfileOutcome>>& outcomes) {
  std::list<Profile> profiles;  // steps hold references to them
  engine::Graph graph;
  std::vector<ProfileSteps> steps;
  std::vector<engine::StepIndex> releases;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i]) continue;
    const recipe::ResolvedRecipe& recipe = request.profiles[i];
    profiles.emplace_back(tools, recipe, options_for(request, recipe));
    steps.push_back(add_profile(graph, profiles.back(), request.release));
    releases.push_back(steps.back().release.index);
    places.push_back(i);
  }
  engine::Engine engine(graph, environment_of(tools, BlobCheck::kHashed));
  const auto collect = [&] {
    auto profile = profiles.begin();
    for (std::size_t i = 0; i < places.size(); ++i, ++profile) {
      if (engine.has(releases[i])) outcomes[places[i]] = outcome_of(graph, engine, *profile, steps[i]);
    }
  };
  try {
    engine.run(releases);
  } catch (const core::Error&) {
    collect();
    throw;
  }
  collect();
}

/// What was hashed is remembered also when a later profile fails.
class SaveAtEnd {
 public:
  explicit SaveAtEnd(artifacts::DigestMemory& memory) : memory_(memory) {}
  ~SaveAtEnd() { memory_.save(); }
  SaveAtEnd(const SaveAtEnd&) = delete;
  SaveAtEnd& operator=(const SaveAtEnd&) = delete;

 private:
  artifacts::DigestMemory& memory_;
};

}  // namespace

std::vector<ProfileOutcome> build(Toolbox& tools, const BuildRequest& request) {
  core::TempDir::reclaim(tools.scratch());
  core::TempDir::reclaim(tools.blobs.staging());
  const SaveAtEnd saved(tools.blobs.memory());
  std::vector<std::optional<ProfileOutcome>> found(request.profiles.size());
  with_current_indexes(tools, [&] { build_missing(tools, request, found); });
  std::vector<ProfileOutcome> outcomes;
  for (auto& outcome : found) outcomes.push_back(std::move(outcome.value()));
  return outcomes;
}

std::vector<engine::StepOutlook> plan(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                                      const std::optional<LockedSources>& locked, bool is_draft) {
  ProfileOptions options{.locked = locked, .is_draft = is_draft};
  Profile profile(tools, recipe, std::move(options));
  const ReleaseRequest request;
  engine::Graph graph;
  const ProfileSteps steps = add_profile(graph, profile, request);
  engine::Engine engine(graph, environment_of(tools, BlobCheck::kThere));
  return engine.plan(std::span(&steps.release.index, 1));
}

}  // namespace imgforge::steps
