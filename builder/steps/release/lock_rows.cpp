#include "builder/steps/release/lock_rows.hpp"

#include <algorithm>

#include "builder/fetch/apk/apk_package.hpp"
#include "builder/fetch/http/url.hpp"

namespace imgforge::steps {
namespace {

lock::LockedPackage package_row(const std::vector<fetch::Repository>& repositories,
                                const fetch::FetchedPackage& package) {
  return {package.entry.name,
          package.entry.version,
          package.entry.arch,
          fetch::find_repository(repositories, package.entry.name, package.entry.version)->name,
          package.url,
          fetch::identity_in_new_index(package.file.path(), package.entry),
          package.file.digest(),
          package.file.size(),
          package.entry.build_time};
}

}  // namespace

std::size_t LockWriter::add(const lock::LockedBase& base) {
  const auto found = std::find(lock_.bases.begin(), lock_.bases.end(), base);
  if (found != lock_.bases.end()) return static_cast<std::size_t>(found - lock_.bases.begin());
  lock_.bases.push_back(base);
  return lock_.bases.size() - 1;
}

void LockWriter::add(const lock::LockedIndex& index) {
  if (std::find(lock_.indexes.begin(), lock_.indexes.end(), index) == lock_.indexes.end())
    lock_.indexes.push_back(index);
}

void LockWriter::add_tools(const engine::Tools& versions) {
  for (const auto& [name, version] : versions) lock_.tools[name] = version;
}

lock::Lock LockWriter::finish() {
  for (auto& [key, model] : models_) lock_.models.push_back(std::move(model));
  for (auto& [name, package] : packages_) lock_.packages.push_back(std::move(package));
  return std::move(lock_);
}

void add_alpine(LockWriter& writer, lock::LockedProfile& row, const BaseSource& source,
                const BaseResult& base, const ChosenFiles* chosen, const lock::Lock* old) {
  const fetch::BaseSource& alpine = *source.origin.alpine;
  row.base = writer.add(lock::LockedBase{alpine.flavor, alpine.version, alpine.branch, alpine.arch,
                                         alpine.urls.front(), base.sha256, base.size});
  if (chosen == nullptr) return;
  for (const fetch::Repository& repository : chosen->indexes.repositories) {
    writer.add(lock::LockedIndex{repository.name, fetch::redacted_url(repository.index_url), repository.arch,
                                 repository.file->digest()});
  }
  for (const ChosenPackage& package : chosen->choice.packages)
    row.steps.push_back({package.action, package.name, package.version, package.old_version});
  for (const fetch::FetchedPackage& package : chosen->files.packages) {
    lock::LockedPackage fresh = package_row(chosen->files.repositories, package);
    const auto* before = old != nullptr ? old->find_package(fresh.name, fresh.version) : nullptr;
    writer.add(before != nullptr && before->sha256 == fresh.sha256 ? *before : fresh);
  }
}

}  // namespace imgforge::steps
