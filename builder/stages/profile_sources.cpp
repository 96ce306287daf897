#include "builder/stages/profile_sources.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/stages/step_inputs.hpp"
#include "core/error.hpp"

namespace imgforge::stages {
namespace {

using plan::StepKind;
using Action = guest::PlannedPackage::Action;

constexpr std::pair<Action, std::string_view> kActions[] = {
    {Action::kInstall, "install"}, {Action::kUpgrade, "upgrade"}, {Action::kDowngrade, "downgrade"},
    {Action::kReplace, "replace"}, {Action::kRemove, "remove"},
};

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

/// The packages of a locked profile that stay.
std::vector<const lock::LockedPackage*> staying(const LockedSources& old,
                                                const std::vector<std::string>& moving) {
  std::vector<const lock::LockedPackage*> packages;
  for (const lock::LockedStep& step : old.profile.steps) {
    if (holds(moving, step.name)) continue;
    if (const auto* package = old.lock.find_package(step.name, step.version)) packages.push_back(package);
  }
  return packages;
}

}  // namespace

ProfileSources::ProfileSources(Toolbox& tools, const recipe::ResolvedRecipe& recipe, StepRunner& runner,
                               const plan::Plan& plan, std::filesystem::path work,
                               std::optional<LockedSources> locked)
    : tools_(tools), recipe_(recipe), runner_(runner), plan_(plan), work_(std::move(work)), locked_(locked) {}

ProfileSources::~ProfileSources() = default;

const plan::Step& ProfileSources::step(StepKind kind) const {
  return plan_.at(fmt::format("{}/{}", recipe_.line(), plan::step_name(kind)));
}

GuestRun& ProfileSources::guest() {
  if (!guest_) guest_ = std::make_unique<GuestRun>(tools_, runner_, work_, recipe_.line());
  return *guest_;
}

void ProfileSources::end_guest() {
  guest_.reset();
}

const BaseOrigin& ProfileSources::origin() {
  if (!origin_) {
    origin_ = core::while_doing("looking for the base", [&] { return find_base(tools_, recipe_, locked_); });
  }
  return *origin_;
}

void ProfileSources::keep_base(const LockedSources& old) {
  origin_ = core::while_doing("looking for the base", [&] { return find_base(tools_, recipe_, old); });
}

const artifacts::VerifiedFile& ProfileSources::base() {
  if (base_) return *base_;
  const BaseOrigin& where = origin();
  const auto usable = [&](const core::Json& result) {
    base_ = tools_.blobs.find(result_digest(result));
    return base_.has_value();
  };
  const core::Json known = runner_.run(
      step(StepKind::kBase), where.identity, core::Json::object(), usable,
      [&] {
        base_ = obtain_base(tools_, where);
        core::Json result = blob_result(*base_);
        if (recipe_.iso_base() == nullptr) result["newest"] = newest_in(*base_);
        return result;
      },
      [&](const core::Json& result) { return where.title + " · " + result_size(result); });
  base_newest_ = known.value("newest", std::int64_t{0});  // a medium has none
  return *base_;
}

const std::vector<fetch::Repository>& ProfileSources::indexes() {
  if (indexes_) return *indexes_;
  if (!origin().alpine) return indexes_.emplace();
  if (locked_) return indexes_.emplace(locked_repositories(recipe_, origin(), *locked_));
  const artifacts::VerifiedFile& tarball = base();
  runner_.always(step(StepKind::kIndexes), [&] {
    indexes_ = load_indexes(tools_, recipe_, origin(), tarball);
    std::size_t entries = 0;
    for (const fetch::Repository& repository : *indexes_) entries += repository.index.entries().size();
    return fmt::format("{} packages in {} repositories", entries, indexes_->size());
  });
  return *indexes_;
}

const core::Json& ProfileSources::packages() {
  if (packages_) return *packages_;
  if (!origin().alpine) return packages_.emplace(core::Json::array());
  if (locked_) {
    packages_ = locked_choice(*locked_);
    runner_.always(step(StepKind::kPackages),
                   [&] { return fmt::format("{} packages, as locked", packages_->size()); });
    return *packages_;
  }
  packages_ = runner_.run(
      step(StepKind::kPackages), packages_inputs(base().digest(), indexes()), core::Json::object(),
      [](const core::Json&) { return true; },
      [&] { return rows_of(guest().resolve(base(), indexes(), recipe_)); },
      [](const core::Json& result) { return fmt::format("{} packages", result.size()); });
  return *packages_;
}

core::Json ProfileSources::rows_of(const std::vector<guest::PlannedPackage>& planned) {
  core::Json rows = core::Json::array();
  for (const guest::PlannedPackage& package : planned) {
    core::Json row{
        {"action", action_name(package.action)}, {"name", package.name}, {"version", package.version}};
    if (!package.old_version.empty()) row["old_version"] = package.old_version;
    if (package.action != Action::kRemove)
      row["identity"] = entry(package.name, package.version).identity.hex();
    rows.push_back(std::move(row));
  }
  return rows;
}

const fetch::IndexEntry& ProfileSources::entry(const std::string& name, const std::string& version) {
  if (const auto* found = fetch::find_repository(indexes(), name, version))
    return *found->index.find(name, version);
  throw core::Error(core::Kind::kPackage, fmt::format("no index has {}-{}, which apk chose", name, version));
}

/// Each repository becomes two: what its index has of the packages that may move, and those that stay.
void ProfileSources::choose_keeping(const LockedSources& old, const std::vector<std::string>& moving) {
  const std::vector<const lock::LockedPackage*> kept = staying(old, moving);
  std::vector<std::string> names;
  for (const lock::LockedPackage* package : kept) names.push_back(package->name);
  std::vector<fetch::Repository> mixed = locked_repositories(recipe_, origin(), old);
  std::vector<fetch::PackageChoice> choices;
  for (const lock::LockedPackage* package : kept)
    choices.push_back({package->name, package->version, package->sha256, package->url});
  const auto files = fetch::fetch_packages(tools_.fetch_context("packages"), choices, mixed);
  runner_.always(step(StepKind::kPackages), [&] {
    const auto planned = guest().resolve(base(), indexes(), recipe_, files);
    for (std::size_t i = 0; i < mixed.size(); ++i) {
      std::vector<fetch::IndexEntry> entries;
      for (const fetch::IndexEntry& row : mixed[i].index.entries()) {
        if (holds(names, row.name)) entries.push_back(row);
      }
      for (const fetch::IndexEntry& row : indexes()[i].index.entries()) {
        if (!holds(names, row.name)) entries.push_back(row);
      }
      (*indexes_)[i].index = fetch::Index(std::move(entries), (*indexes_)[i].name);
    }
    packages_ = rows_of(planned);
    return fmt::format("{} packages, {} of them kept", planned.size(), kept.size());
  });
}

std::vector<guest::PlannedPackage> ProfileSources::planned() {
  std::vector<guest::PlannedPackage> planned;
  for (const core::Json& row : packages()) {
    planned.push_back({action_named(row.at("action").get<std::string>()), row.at("name"), row.at("version"),
                       row.value("old_version", "")});
  }
  return planned;
}

std::vector<fetch::FetchedPackage> ProfileSources::fetch() {
  std::vector<fetch::PackageChoice> choices;
  for (const guest::PlannedPackage& package : planned()) {
    if (package.action == Action::kRemove) continue;
    choices.push_back({package.name, package.version});
    if (!locked_) continue;
    const lock::LockedPackage* row = locked_->lock.find_package(package.name, package.version);
    choices.back().sha256 = row->sha256;
    choices.back().url = row->url;
  }
  return fetch::fetch_packages(tools_.fetch_context(step(StepKind::kRootfs).id()), choices, indexes());
}

std::int64_t ProfileSources::newest() {
  base();
  std::int64_t newest = base_newest_;
  for (const guest::PlannedPackage& package : planned()) {
    if (package.action == Action::kRemove) continue;
    newest = std::max(newest, static_cast<std::int64_t>(entry(package.name, package.version).build_time));
  }
  return newest;
}

}  // namespace imgforge::stages
