#include "builder/steps/root/packages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "builder/engine/result.hpp"
#include "builder/recipe/show/show.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "core/error.hpp"

namespace imgforge::steps {
namespace {

using Action = guest::PlannedPackage::Action;

constexpr std::array<std::pair<Action, std::string_view>, 5> kActions{{
    {Action::kInstall, "install"},
    {Action::kUpgrade, "upgrade"},
    {Action::kDowngrade, "downgrade"},
    {Action::kReplace, "replace"},
    {Action::kRemove, "remove"},
}};

std::string_view action_name(Action action) {
  for (const auto& [value, name] : kActions) {
    if (value == action) return name;
  }
  return "?";
}

Action action_named(std::string_view name) {
  for (const auto& [value, text] : kActions) {
    if (text == name) return value;
  }
  throw core::Error(core::Kind::kInternal, "no action of apk is called " + std::string(name));
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// What the recipe says to packages, by name.
std::string parameters_of(const Profile& profile, std::initializer_list<std::string_view> names) {
  return recipe::picked(profile.canonical.json().at("packages"), names).dump();
}

/// The packages of a locked profile that stay.
std::vector<const lock::LockedPackage*> staying(const Keeping& keeping) {
  std::vector<const lock::LockedPackage*> packages;
  for (const lock::LockedStep& step : keeping.old.profile.steps) {
    if (holds(keeping.moving, step.name)) continue;
    if (const auto* package = keeping.old.lock.find_package(step.name, step.version))
      packages.push_back(package);
  }
  return packages;
}

/// What may be chosen from: all that the indexes offer, but of packages that stay only what the lock has.
std::vector<fetch::Repository> offered(const Profile& profile, const BaseSource& source,
                                       const Indexes& indexes) {
  std::vector<fetch::Repository> repositories = indexes.repositories;
  if (!profile.options.keeping) return repositories;
  const Keeping& keeping = *profile.options.keeping;
  std::vector<std::string> names;
  for (const lock::LockedPackage* package : staying(keeping)) names.push_back(package->name);
  const std::vector<fetch::Repository> locked =
      stages::locked_repositories(profile.recipe, source.origin, keeping.old);
  for (std::size_t i = 0; i < repositories.size(); ++i) {
    std::vector<fetch::IndexEntry> entries;
    for (const fetch::IndexEntry& row : locked[i].index.entries()) {
      if (holds(names, row.name)) entries.push_back(row);
    }
    for (const fetch::IndexEntry& row : repositories[i].index.entries()) {
      if (!holds(names, row.name)) entries.push_back(row);
    }
    repositories[i].index =
        fetch::Index(std::move(entries), repositories[i].name, repositories[i].index.format());
  }
  return repositories;
}

const fetch::IndexEntry& entry(const std::vector<fetch::Repository>& repositories, const std::string& name,
                               const std::string& version) {
  if (const auto* found = fetch::find_repository(repositories, name, version))
    return *found->index.find(name, version);
  throw core::Error(core::Kind::kPackage, fmt::format("no index has {}-{}, which apk chose", name, version));
}

PackageChoice choice_of(const std::vector<guest::PlannedPackage>& planned,
                        const std::vector<fetch::Repository>& repositories) {
  PackageChoice choice;
  for (const guest::PlannedPackage& package : planned) {
    ChosenPackage& row = choice.packages.emplace_back();
    row.action = action_name(package.action);
    row.name = package.name;
    row.version = package.version;
    row.old_version = package.old_version;
    if (row.is_removal()) continue;
    const fetch::IndexEntry& found = entry(repositories, row.name, row.version);
    row.identity = found.identity.hex();
    row.build_time = static_cast<std::int64_t>(found.build_time);
  }
  return choice;
}

PackageChoice locked_choice(const LockedSources& locked) {
  PackageChoice choice;
  for (const lock::LockedStep& step : locked.profile.steps) {
    ChosenPackage& row = choice.packages.emplace_back();
    row.action = step.action;
    row.name = step.name;
    row.version = step.version;
    row.old_version = step.old_version;
    const lock::LockedPackage* package = locked.lock.find_package(step.name, step.version);
    if (package == nullptr || row.is_removal()) continue;
    row.identity = package->identity.hex();
    row.build_time = static_cast<std::int64_t>(package->build_time);
  }
  return choice;
}

/// Of an index of apk 3 the sandbox cannot show a part: no package of it can stay while others move.
void require_movable(const std::string& name, const std::vector<fetch::Repository>& repositories) {
  for (const fetch::Repository& repository : repositories) {
    if (repository.index.format() == fetch::IndexFormat::kV2 || repository.index.find(name).empty()) continue;
    throw core::Error(core::Kind::kPackage,
                      fmt::format("{} cannot be held back: {} has an index of apk 3, which apk sees whole",
                                  name, repository.name))
        .hint("name it, too, or give no names: then all packages move");
  }
}

/// Lets apk's own resolver choose in the sandbox. Packages that stay are seen in their locked versions only.
PackageChoice resolve(engine::Context& context, Profile& profile, const artifacts::VerifiedFile& base,
                      const BaseSource& source, const Indexes& indexes) {
  std::vector<fetch::FetchedPackage> kept;
  if (profile.options.keeping) {
    Toolbox tools = profile.tools_for(context);
    std::vector<fetch::PackageChoice> choices;
    for (const lock::LockedPackage* package : staying(*profile.options.keeping))
      choices.push_back({package->name, package->version, package->sha256, package->url});
    kept = fetch::fetch_packages(
        tools.fetch_context(), choices,
        stages::locked_repositories(profile.recipe, source.origin, profile.options.keeping->old));
  }
  guest::Sandbox& sandbox = profile.sandbox.with_root(context, base);
  guest::World world = world_of(indexes.repositories, profile.recipe);
  std::vector<guest::PackageFile> files;
  for (const fetch::FetchedPackage& package : kept) {
    require_movable(package.entry.name, indexes.repositories);
    world.hidden.push_back(package.entry.name);
    files.push_back(
        {package.file.path(), package.entry.name, package.entry.version, indexes.repositories.size()});
  }
  if (!kept.empty()) {
    world.trust = guest::Trust::kHost;
    world.repositories.push_back({.index = {}, .arch = indexes.repositories.front().arch});
  }
  const auto planned = context.phase("resolve", [&] { return guest::resolve(sandbox, world, files); });
  return choice_of(planned, offered(profile, source, indexes));
}

}  // namespace

std::string Indexes::identity() const {
  std::string text;
  for (const fetch::Repository& repository : repositories) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", repository.name,
                        repository.file ? repository.file->digest().hex() : "of a lock");
  }
  return text;
}

std::vector<guest::PlannedPackage> PackageChoice::planned() const {
  std::vector<guest::PlannedPackage> planned;
  for (const ChosenPackage& package : packages)
    planned.push_back({action_named(package.action), package.name, package.version, package.old_version});
  return planned;
}

std::int64_t PackageChoice::newest() const {
  std::int64_t newest = 0;
  for (const ChosenPackage& package : packages) newest = std::max(newest, package.build_time);
  return newest;
}

engine::Ref<Indexes> add_indexes(engine::Graph& graph, Profile& profile, engine::Ref<BaseSource> source,
                                 engine::Ref<BaseResult> base) {
  engine::Step<Indexes> step;
  step.id = profile.id("indexes");
  step.kind = "indexes";
  step.summary = fmt::format("{} repositories", profile.recipe.packages.repositories.size());
  step.parameters = parameters_of(profile, {"repositories", "keys"});
  step.lane = kNetworkLane;
  step.unknown = "they were never fetched";
  if (profile.options.locked) {
    step.inputs = {engine::value_of(source)};
    step.freshness = engine::Freshness::kGiven;
    step.make = [&profile, source](engine::Context& context) {
      return Indexes{
          stages::locked_repositories(profile.recipe, context[source].origin, *profile.options.locked)};
    };
  } else {
    step.inputs = {engine::value_of(source), engine::bytes_of(base)};
    step.freshness = engine::Freshness::kAsked;
    step.is_common = true;
    step.make = [&profile, source, base](engine::Context& context) {
      context.say("looking for them");
      Toolbox tools = profile.tools_for(context);
      return Indexes{stages::load_indexes(
          tools, profile.recipe, context[source].origin,
          {.newest = context[base].newest, .keys = context[base].keys, .apk = context[base].apk})};
    };
  }
  step.words = [](const Indexes& result) {
    std::size_t entries = 0;
    for (const fetch::Repository& repository : result.repositories)
      entries += repository.index.entries().size();
    return fmt::format("{} packages in {} repositories", entries, result.repositories.size());
  };
  return graph.add(std::move(step), engine::transient<Indexes>());
}

engine::Ref<PackageChoice> add_packages(engine::Graph& graph, Profile& profile, engine::Ref<BaseResult> base,
                                        engine::Ref<BaseSource> source, engine::Ref<Indexes> indexes) {
  engine::Step<PackageChoice> step;
  step.id = profile.id("packages");
  step.kind = "packages";
  step.summary = fmt::format("{} named, with all they need", profile.recipe.packages.add.size());
  step.parameters = parameters_of(profile, {"add", "remove"});
  if (profile.options.locked) {
    step.freshness = engine::Freshness::kGiven;
    step.make = [&profile](engine::Context&) { return locked_choice(*profile.options.locked); };
    step.words = [](const PackageChoice& result) {
      return fmt::format("{} packages, as locked", result.packages.size());
    };
    return graph.add(std::move(step), engine::recorded<PackageChoice>());
  }
  step.inputs = {engine::bytes_of(base), engine::value_of(indexes), engine::when_run(source)};
  step.tools = [] { return code_of({"builder/guest"}); };
  if (profile.options.keeping) step.freshness = engine::Freshness::kAsked;
  step.lane = kSandboxLane;
  step.holder = profile.recipe.line();
  step.make = [&profile, base, source, indexes](engine::Context& context) {
    return profile.sandbox.within([&] {
      return resolve(context, profile, profile.blob(context[base].sha256), context[source], context[indexes]);
    });
  };
  step.words = [](const PackageChoice& result) { return fmt::format("{} packages", result.packages.size()); };
  return graph.add(std::move(step), engine::recorded<PackageChoice>());
}

engine::Ref<PackageFiles> add_package_files(engine::Graph& graph, Profile& profile,
                                            engine::Ref<BaseSource> source, engine::Ref<Indexes> indexes,
                                            engine::Ref<PackageChoice> choice) {
  engine::Step<PackageFiles> step;
  step.id = profile.id("package files");
  step.kind = "package files";
  step.inputs = {engine::value_of(source), engine::value_of(indexes), engine::value_of(choice)};
  step.freshness = engine::Freshness::kAsked;
  step.lane = kNetworkLane;
  step.is_shown = false;
  step.make = [&profile, source, indexes, choice](engine::Context& context) {
    const std::optional<LockedSources>& locked = profile.options.locked;
    std::vector<fetch::PackageChoice> choices;
    for (const ChosenPackage& package : context[choice].packages) {
      if (package.is_removal()) continue;
      choices.push_back({package.name, package.version});
      if (!locked) continue;
      const lock::LockedPackage* row = locked->lock.find_package(package.name, package.version);
      choices.back().sha256 = row->sha256;
      choices.back().url = row->url;
    }
    Toolbox tools = profile.tools_for(context);
    PackageFiles files;
    files.repositories = offered(profile, context[source], context[indexes]);
    try {
      files.packages = fetch::fetch_packages(tools.fetch_context(), choices, files.repositories);
    } catch (const fetch::Unavailable& error) {
      if (locked) throw core::Error(error);  // no other plan is allowed
      throw;
    }
    return files;
  };
  return graph.add(std::move(step), engine::transient<PackageFiles>());
}

}  // namespace imgforge::steps
