// The packages of a profile: what the repositories offer, what apk chooses, and the files of the choice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/engine/graph.hpp"
#include "builder/fetch/apk/repository/apk_packages.hpp"
#include "builder/fetch/http/mirrors.hpp"
#include "builder/guest/apk/apk.hpp"
#include "builder/steps/profile/profile.hpp"
#include "builder/steps/root/base.hpp"

namespace imgforge::steps {

/// The verified indexes of the recipe's repositories, or those of a lock.
struct Indexes {
  std::vector<fetch::Repository> repositories;
  /// Names and digests.
  std::string identity() const;
};

/// One line of what is done to the packages of the base.
struct ChosenPackage {
  std::string action;  ///< "install", "upgrade", "downgrade", "replace", "remove"
  std::string name;
  std::string version;          ///< afterwards; of "remove" the one that goes
  std::string old_version;      ///< empty unless one is exchanged
  std::string identity;         ///< hex of `C` in the index; empty for "remove"
  std::int64_t build_time = 0;  ///< seconds since the epoch; 0 for "remove"
  bool is_removal() const { return action == "remove"; }
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("action", self.action);
    visit("name", self.name);
    visit("version", self.version);
    visit("old_version", self.old_version);
    visit("identity", self.identity);
    visit("build_time", self.build_time);
  }
};

/// In apk's order.
struct PackageChoice {
  std::vector<ChosenPackage> packages;
  /// As the guest reads it.
  std::vector<guest::PlannedPackage> planned() const;
  /// Newest build time of what arrives.
  std::int64_t newest() const;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("packages", self.packages);
  }
};

/// The verified files of all packages that arrive, with the repositories that they were taken from.
struct PackageFiles {
  std::vector<fetch::FetchedPackage> packages;
  std::vector<fetch::Repository> repositories;
};

/// Runs `body`, which plans packages and fetches them. Where that ends because mirrors lack what an index
/// names, it runs once more, with indexes that are fetched anew: the mirror has moved on meanwhile, or
/// another one has.
template <class Body>
decltype(auto) with_current_indexes(Toolbox& tools, Body&& body) {
  try {
    return body();
  } catch (const fetch::Unavailable& error) {
    tools.progress.warn(error.message() + "; fetching the indexes anew");
  }
  struct Anew {
    explicit Anew(Toolbox& toolbox) : tools(toolbox) { tools.index_copies = fetch::IndexCopies::kAnew; }
    ~Anew() { tools.index_copies = fetch::IndexCopies::kCount; }
    Toolbox& tools;
  } const anew(tools);
  return body();
}

engine::Ref<Indexes> add_indexes(engine::Graph& graph, Profile& profile, engine::Ref<BaseSource> source,
                                 engine::Ref<BaseResult> base);
engine::Ref<PackageChoice> add_packages(engine::Graph& graph, Profile& profile, engine::Ref<BaseResult> base,
                                        engine::Ref<BaseSource> source, engine::Ref<Indexes> indexes);
engine::Ref<PackageFiles> add_package_files(engine::Graph& graph, Profile& profile,
                                            engine::Ref<BaseSource> source, engine::Ref<Indexes> indexes,
                                            engine::Ref<PackageChoice> choice);

}  // namespace imgforge::steps
