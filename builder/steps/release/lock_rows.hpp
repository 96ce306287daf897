// Rows of a lock, out of what the steps of profiles found.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "builder/lock/lock.hpp"
#include "builder/steps/root/base.hpp"
#include "builder/steps/root/packages.hpp"

namespace imgforge::steps {

/// Puts rows together that profiles share.
class LockWriter {
 public:
  /// `recipe` is the recipe's file name.
  explicit LockWriter(std::string recipe) { lock_.recipe = std::move(recipe); }

  std::size_t add(const lock::LockedBase& base);
  void add(const lock::LockedIndex& index);
  void add(const lock::LockedPackage& package) { packages_.emplace(package.full_name(), package); }
  void add(const lock::LockedModel& row) {
    models_.insert_or_assign({row.model.name, row.model.source.text}, row);
  }
  void add(lock::LockedProfile profile) { lock_.profiles.push_back(std::move(profile)); }
  void add_tools(const engine::Tools& versions);

  lock::Lock finish();

 private:
  lock::Lock lock_;
  std::map<std::string, lock::LockedPackage> packages_;
  std::map<std::pair<std::string, std::string>, lock::LockedModel> models_;
};

struct ChosenFiles {
  const Indexes& indexes;
  const PackageChoice& choice;
  const PackageFiles& files;
};

/// The base of a profile, and its packages unless it is an ISO image (null). A package that `old` (may be
/// null) has with the same bytes keeps its row there, also when it comes from elsewhere today.
void add_alpine(LockWriter& writer, lock::LockedProfile& row, const BaseSource& source,
                const BaseResult& base, const ChosenFiles* chosen, const lock::Lock* old);

}  // namespace imgforge::steps
