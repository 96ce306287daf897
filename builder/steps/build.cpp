#include "builder/steps/build.hpp"

#include "builder/steps/profile_graph.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::steps {
namespace {

ProfileOutcome build_profile(Toolbox& tools, const BuildRequest& request,
                             const recipe::ResolvedRecipe& recipe) {
  ProfileOptions options{.locked = stages::usable_lock(request.lock ? &*request.lock : nullptr, recipe)};
  options.list_signer = {request.release.signer, request.release.build_time,
                         core::source_date_epoch().has_value()};
  Profile profile(tools, recipe, std::move(options));
  const ProfileGraph steps = make_graph(profile, request.release);
  engine::Engine engine(steps.graph, environment_of(tools, BlobCheck::kHashed));
  const ReleaseResult& result = engine.run(steps.release);
  ProfileOutcome outcome;
  outcome.line = recipe.line();
  outcome.outcome = result.published.outcome;
  outcome.manifest = result.published.manifest;
  outcome.directory = result.published.directory;
  outcome.boots = result.boots;
  outcome.steps = engine.reports();
  return outcome;
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
  std::vector<ProfileOutcome> outcomes;
  for (const recipe::ResolvedRecipe& recipe : request.profiles) {
    outcomes.push_back(core::while_doing("building " + recipe.line(),
                                         [&] { return build_profile(tools, request, recipe); }));
  }
  return outcomes;
}

std::vector<engine::StepOutlook> plan(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                                      const std::optional<LockedSources>& locked) {
  ProfileOptions options{.locked = locked};
  Profile profile(tools, recipe, std::move(options));
  const ReleaseRequest request;
  const ProfileGraph steps = make_graph(profile, request);
  engine::Engine engine(steps.graph, environment_of(tools, BlobCheck::kThere));
  return engine.plan(std::span(&steps.release.index, 1));
}

}  // namespace imgforge::steps
