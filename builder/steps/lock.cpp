#include "builder/steps/lock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "builder/fetch/apk/repository/base_contents.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/lock/stale.hpp"
#include "builder/stages/model_members.hpp"
#include "builder/steps/profile_graph.hpp"
#include "builder/steps/release/lock_rows.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::steps {
namespace {

using core::Error;
using core::Kind;

class ProfileLock {
 public:
  ProfileLock(Toolbox& tools, const recipe::ResolvedRecipe& recipe, LockWriter& writer)
      : tools_(tools), recipe_(recipe), writer_(writer) {
    row_.name = recipe.profile;
    row_.request = lock::request_of(recipe);
  }

  void run(const std::optional<Moving>& moving) {
    const std::optional<LockedSources> old = stages::usable_lock(moving ? &moving->old : nullptr, recipe_);
    if (moving && !old) {
      throw Error(Kind::kUsage, fmt::format("the lock is stale for {}", recipe_.line()))
          .hint("imgforge lock resolves everything anew");
    }
    ProfileOptions options;
    if (old) options.keeping.emplace(Keeping{*old, moving->packages});
    Profile profile(tools_, recipe_, std::move(options));
    if (profile.is_alpine()) with_current_indexes(tools_, [&] { lock_alpine(profile, old); });
    for (const recipe::Model& model : recipe_.models) lock_model(model, old, moving);
    writer_.add_tools(format_tools(tools_, recipe_));
    writer_.add(std::move(row_));
  }

 private:
  void lock_model(const recipe::Model& wanted, const std::optional<LockedSources>& old,
                  const std::optional<Moving>& moving) {
    const lock::LockedModel* before = old ? old->lock.find_model(wanted.name, wanted.source.text) : nullptr;
    const bool moves = !moving || std::find(moving->packages.begin(), moving->packages.end(), wanted.name) !=
                                      moving->packages.end();
    writer_.add(before != nullptr && !moves ? *before : stages::obtain_for_lock(tools_, recipe_, wanted));
  }

  void lock_alpine(Profile& profile, const std::optional<LockedSources>& old) {
    const ReleaseRequest request;
    engine::Graph graph;
    const ProfileSteps steps = add_profile(graph, profile, request);
    std::vector<engine::StepIndex> targets{steps.source.index, steps.base.index};
    if (steps.packages) {
      for (const engine::StepIndex index :
           {steps.packages->indexes.index, steps.packages->choice.index, steps.packages->files.index})
        targets.push_back(index);
    }
    engine::Engine engine(graph, environment_of(tools_, BlobCheck::kHashed));
    engine.run(targets);
    const lock::Lock* kept = old ? &old->lock : nullptr;
    if (!steps.packages) {  // an ISO image brings its packages
      add_alpine(writer_, row_, engine[steps.source], engine[steps.base], nullptr, kept);
      return;
    }
    const ChosenFiles chosen{engine[steps.packages->indexes], engine[steps.packages->choice],
                             engine[steps.packages->files]};
    add_alpine(writer_, row_, engine[steps.source], engine[steps.base], &chosen, kept);
  }

  Toolbox& tools_;
  const recipe::ResolvedRecipe& recipe_;
  LockWriter& writer_;
  lock::LockedProfile row_;
};

void require_locked(const Moving& moving) {
  std::vector<std::string> names;
  for (const lock::LockedPackage& package : moving.old.packages) names.push_back(package.name);
  for (const lock::LockedModel& row : moving.old.models) names.push_back(row.model.name);
  for (const std::string& name : moving.packages) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string near = core::nearest_word(name, names);
    Error error(Kind::kUsage, "the lock has no package or model \"" + core::escaped(name, 80) + "\"");
    throw error.hint(near.empty() ? "imgforge outdated lists what can move" : "did you mean " + near + "?");
  }
}

/// Collects what differs, a row a name and version, with the profiles that it concerns.
class Comparison {
 public:
  void add(const std::string& name, const std::string& locked, const std::string& newest,
           const std::string& profile) {
    for (Outdated& row : rows_) {
      if (row.name != name || row.locked != locked || row.newest != newest) continue;
      row.profiles.push_back(profile);
      return;
    }
    rows_.push_back({name, locked, newest, {profile}});
  }
  std::vector<Outdated> finish() {
    std::stable_sort(rows_.begin(), rows_.end(),
                     [](const Outdated& a, const Outdated& b) { return a.name < b.name; });
    return std::move(rows_);
  }

 private:
  std::vector<Outdated> rows_;
};

/// The version that an index offers for a locked package; an index lists one of each as a rule.
std::string offered(const std::vector<fetch::Repository>& repositories, const lock::LockedStep& step) {
  std::string newest;
  for (const fetch::Repository& repository : repositories) {
    if (repository.index.find(step.name, step.version) != nullptr) return step.version;
    const auto found = repository.index.find(step.name);
    if (!found.empty() && newest.empty()) newest = found.back()->version;
  }
  return newest;
}

}  // namespace

lock::Lock make_lock(Toolbox& tools, const std::string& recipe,
                     const std::vector<recipe::ResolvedRecipe>& profiles,
                     const std::optional<Moving>& moving) {
  if (moving) require_locked(*moving);
  core::TempDir::reclaim(tools.scratch());
  LockWriter writer(recipe);
  for (const recipe::ResolvedRecipe& profile : profiles) {
    core::while_doing("locking " + profile.line(), [&] { ProfileLock(tools, profile, writer).run(moving); });
  }
  return writer.finish();
}

std::vector<Outdated> find_outdated(Toolbox& tools, const lock::Lock& lock,
                                    const std::vector<recipe::ResolvedRecipe>& profiles) {
  Comparison bases, packages;
  for (const recipe::ResolvedRecipe& recipe : profiles) {
    const lock::LockedProfile* profile = lock.find_profile(recipe.profile);
    if (profile == nullptr || !profile->base) continue;
    core::while_doing("comparing " + recipe.line(), [&] {
      const lock::LockedBase& base = lock.bases.at(*profile->base);
      const stages::BaseOrigin newest = stages::find_base(tools, recipe, std::nullopt);
      if (newest.alpine->version != base.version)
        bases.add("alpine-" + base.flavor, base.version, newest.alpine->version, recipe.profile);
      if (profile->steps.empty()) return;
      const artifacts::VerifiedFile file =
          stages::obtain_base(tools, stages::find_base(tools, recipe, LockedSources{lock, *profile}));
      const auto repositories = stages::load_indexes(tools, recipe, newest, fetch::read_base(file));
      for (const lock::LockedStep& step : profile->steps) {
        if (step.action == "remove") continue;
        const std::string version = offered(repositories, step);
        if (version != step.version) packages.add(step.name, step.version, version, recipe.profile);
      }
    });
  }
  std::vector<Outdated> rows = bases.finish();
  for (Outdated& row : packages.finish()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace imgforge::steps
