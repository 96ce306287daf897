#include "builder/stages/origins.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "artifacts/tar/tar.hpp"
#include "builder/fetch/apk/apk_keys.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/lock/stale.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

std::map<std::string, std::string> promise_identity(const fetch::BaseSource& source) {
  std::map<std::string, std::string> identity{{"version", source.version}, {"arch", source.arch}};
  for (const fetch::Promise& promise : source.promises) {
    identity[std::string(core::hash_name(promise.digest.algorithm()))] = promise.digest.hex();
  }
  return identity;
}

std::optional<fetch::BaseLock> base_lock(const LockedSources& locked) {
  if (!locked.profile.base) return std::nullopt;
  const lock::LockedBase& base = locked.lock.bases.at(*locked.profile.base);
  return fetch::BaseLock{base.version, base.branch, base.url, base.sha256, base.size};
}

/// The repository at the recipe's own first mirror.
std::string image_url(const std::string& entry, const recipe::AlpineBase& alpine,
                      const fetch::BaseSource& source) {
  return fetch::repository_urls(entry, alpine.image_mirrors(), source.branch).front();
}

/// apk 2 does not read what apk 3 writes. `mark`: where the recipe names the repository.
void require_apk_3(const std::string& apk, const fetch::Repository& repository, const core::Mark& mark) {
  const bool is_old = apk.starts_with("2.");
  if (!is_old) return;  // 3, or not known: then it is the base's apk that says so
  core::Error error(
      core::Kind::kPackage,
      fmt::format("the index of {} is one of apk 3, and the base has apk-tools {}", repository.name, apk));
  if (!mark.file.empty()) error.at(mark);
  throw error.hint("apk 3 came with Alpine 3.23; for older bases the repository must be one for apk-tools 2");
}

/// Where the lock says that the index of a repository came from; empty when it does not.
std::string locked_index_url(const lock::Lock& lock, const std::string& repository) {
  const auto found = std::find_if(lock.indexes.begin(), lock.indexes.end(),
                                  [&](const lock::LockedIndex& index) { return index.name == repository; });
  return found == lock.indexes.end() ? std::string() : found->url;
}

fetch::IndexEntry entry_of(const lock::LockedPackage& package) {
  fetch::IndexEntry entry;
  entry.name = package.name;
  entry.version = package.version;
  entry.arch = package.arch;
  entry.size = package.size;
  entry.build_time = package.build_time;
  entry.identity = package.identity;
  return entry;
}

}  // namespace

std::optional<LockedSources> usable_lock(const lock::Lock* lock, const recipe::ResolvedRecipe& recipe) {
  if (lock == nullptr || lock::find_staleness(*lock, recipe)) return std::nullopt;
  return LockedSources{*lock, *lock->find_profile(recipe.profile)};
}

BaseOrigin find_base(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                     const std::optional<LockedSources>& locked) {
  BaseOrigin origin;
  if (const auto* alpine = std::get_if<recipe::AlpineBase>(&recipe.base)) {
    const fetch::Context context = tools.fetch_context();
    origin.alpine =
        fetch::find_base(context, {alpine->release, alpine->arch, alpine->mirror_flavor(), alpine->mirrors,
                                   alpine->digest, locked ? base_lock(*locked) : std::nullopt});
    origin.identity = promise_identity(*origin.alpine);
    origin.title = origin.alpine->title();
  } else {
    origin.embedded = find_embedded_source();
    origin.identity = embedded_identity(*origin.embedded, tools.blobs.memory());
    origin.title = "embedded, kernel " + origin.embedded->release;
  }
  return origin;
}

artifacts::VerifiedFile obtain_base(Toolbox& tools, const BaseOrigin& origin) {
  if (origin.alpine) return fetch::fetch_base(tools.fetch_context(), *origin.alpine);
  const core::TempDir folder(tools.scratch(), "base");
  const std::filesystem::path tar = folder / "base.tar";
  write_embedded_base(*origin.embedded, tar, tools.processes, tools.cancel);
  return tools.blobs.adopt(tar);
}

std::vector<fetch::Repository> load_indexes(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                                            const BaseOrigin& origin, fetch::BaseContents base) {
  if (!origin.alpine) return {};
  fetch::PublicKeys keys = std::move(base.keys);
  fetch::require_keys_of_base(keys);
  const auto& alpine = std::get<recipe::AlpineBase>(recipe.base);
  std::vector<std::filesystem::path> files;
  for (const recipe::Marked& key : recipe.packages.keys) files.emplace_back(key.value);
  fetch::add_key_files(keys, files);
  std::vector<std::string> entries;
  for (const recipe::Marked& entry : recipe.packages.repositories) entries.push_back(entry.value);
  std::vector<fetch::Repository> repositories = fetch::load_repositories(
      tools.fetch_context(), entries, alpine.mirrors, origin.alpine->branch, alpine.arch, keys);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    fetch::Repository& repository = repositories[i];
    if (repository.index.format() == fetch::IndexFormat::kV3)
      require_apk_3(base.apk, repository, recipe.packages.repositories[i].mark);
    repository.image_url =
        fetch::repository_line(image_url(entries[i], alpine, *origin.alpine), repository.index_url);
  }
  return repositories;
}

std::vector<fetch::Repository> locked_repositories(const recipe::ResolvedRecipe& recipe,
                                                   const BaseOrigin& origin, const LockedSources& locked) {
  const auto& alpine = std::get<recipe::AlpineBase>(recipe.base);
  std::map<std::string, std::vector<fetch::IndexEntry>> entries;
  for (const lock::LockedStep& step : locked.profile.steps) {
    if (const lock::LockedPackage* package = locked.lock.find_package(step.name, step.version))
      entries[package->repository].push_back(entry_of(*package));
  }
  std::vector<fetch::Repository> repositories;
  for (const recipe::Marked& name : recipe.packages.repositories) {
    const std::string shown = fetch::redacted_url(name.value);
    repositories.push_back({.name = shown,
                            .arch = alpine.arch,
                            .urls = fetch::repository_urls(name.value, alpine.mirrors, origin.alpine->branch),
                            .index_url = "",
                            .file = {},
                            .index = fetch::Index(std::move(entries[shown]), "the lock"),
                            .image_url = fetch::repository_line(image_url(name.value, alpine, *origin.alpine),
                                                                locked_index_url(locked.lock, shown))});
  }
  return repositories;
}

}  // namespace imgforge::stages
