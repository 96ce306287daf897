#include "builder/steps/lock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "builder/fetch/apk/base_contents.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/lock/stale.hpp"
#include "builder/stages/model_members.hpp"
#include "builder/steps/profile_graph.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::steps {
namespace {

using core::Error;
using core::Kind;

/// Puts rows together that profiles share.
class Writer {
 public:
  explicit Writer(std::string recipe) { lock_.recipe = std::move(recipe); }

  std::size_t add(const lock::LockedBase& base) {
    const auto found = std::find(lock_.bases.begin(), lock_.bases.end(), base);
    if (found != lock_.bases.end()) return static_cast<std::size_t>(found - lock_.bases.begin());
    lock_.bases.push_back(base);
    return lock_.bases.size() - 1;
  }
  void add(const lock::LockedIndex& index) {
    if (std::find(lock_.indexes.begin(), lock_.indexes.end(), index) == lock_.indexes.end())
      lock_.indexes.push_back(index);
  }
  void add(const lock::LockedPackage& package) { packages_.emplace(package.full_name(), package); }
  void add(const lock::LockedModel& row) {
    models_.insert_or_assign({row.model.name, row.model.source.text}, row);
  }
  void add(lock::LockedProfile profile) { lock_.profiles.push_back(std::move(profile)); }
  void add_tools(const engine::Tools& versions) {
    for (const auto& [name, version] : versions) lock_.tools[name] = version;
  }

  lock::Lock finish() {
    for (auto& [key, model] : models_) lock_.models.push_back(std::move(model));
    for (auto& [name, package] : packages_) lock_.packages.push_back(std::move(package));
    return std::move(lock_);
  }

 private:
  lock::Lock lock_;
  std::map<std::string, lock::LockedPackage> packages_;
  std::map<std::pair<std::string, std::string>, lock::LockedModel> models_;
};

lock::LockedBase base_row(const fetch::BaseSource& source, const artifacts::VerifiedFile& file) {
  return {source.flavor,       source.version, source.branch, source.arch,
          source.urls.front(), file.digest(),  file.size()};
}

lock::LockedPackage package_row(const std::vector<fetch::Repository>& repositories,
                                const fetch::FetchedPackage& package) {
  return {package.entry.name,
          package.entry.version,
          package.entry.arch,
          fetch::find_repository(repositories, package.entry.name, package.entry.version)->name,
          package.url,
          package.entry.identity,
          package.file.digest(),
          package.file.size(),
          package.entry.build_time};
}

class ProfileLock {
 public:
  ProfileLock(Toolbox& tools, const recipe::ResolvedRecipe& recipe, Writer& writer)
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
    if (profile.is_alpine()) lock_alpine(profile, old);
    for (const recipe::Model& model : recipe_.models) lock_model(model, old, moving);
    for (const recipe::Marked& format : recipe_.formats)
      writer_.add_tools(format_tools(tools_, recipe_, format.value));
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
    row_.base =
        writer_.add(base_row(*engine[steps.source].origin.alpine, profile.blob(engine[steps.base].sha256)));
    if (!steps.packages) return;  // an ISO image brings its packages
    for (const fetch::Repository& repository : engine[steps.packages->indexes].repositories) {
      writer_.add({repository.name, fetch::redacted_url(repository.index_url), repository.arch,
                   repository.file->digest()});
    }
    for (const ChosenPackage& package : engine[steps.packages->choice].packages)
      row_.steps.push_back({package.action, package.name, package.version, package.old_version});
    const PackageFiles& files = engine[steps.packages->files];
    for (const fetch::FetchedPackage& package : files.packages) {
      lock::LockedPackage row = package_row(files.repositories, package);
      // One that stays keeps its row, also when it comes from elsewhere today.
      const auto* before = old ? old->lock.find_package(row.name, row.version) : nullptr;
      writer_.add(before != nullptr && before->sha256 == row.sha256 ? *before : row);
    }
  }

  Toolbox& tools_;
  const recipe::ResolvedRecipe& recipe_;
  Writer& writer_;
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
  Writer writer(recipe);
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
      const auto repositories = stages::load_indexes(tools, recipe, newest, fetch::read_base(file).keys);
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
