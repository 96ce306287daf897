// The packages of the shipped recipes exist: each that a recipe names, and all that they need, are found in
// the two real indexes of Alpine 3.19.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <vector>

#include "builder/fetch/apk/apk_index.hpp"
#include "builder/recipe/resolve.hpp"
#include "builder/recipe/values/types.hpp"
#include "core/process.hpp"
#include "support/source_dir.hpp"

namespace imgforge::fetch {
namespace {

namespace fs = std::filesystem;

const fs::path kRecipes = source_dir() / "recipes";

fs::path index_folder() {
  return alpine_material() / "data/index";
}

Index read_index(const fs::path& file) {
  core::Command tar;
  tar.program = "tar";
  tar.args = {"-xzOf", file.native(), "APKINDEX"};
  tar.output_limit = 64 << 20;
  return Index::parse(core::system_processes().check(tar, core::CancelToken()).out, "x86_64", file.native());
}

/// Who satisfies a name: a package called so before one that provides it, then the higher priority.
class Repository {
 public:
  void add(const Index& index) {
    for (const IndexEntry& entry : index.entries()) {
      packages_.emplace(entry.name, &entry);
      for (const std::string& word : entry.provides) {
        const IndexEntry*& best = provided_[std::string(recipe::package_name(word))];
        if (best == nullptr || best->priority < entry.priority) best = &entry;
      }
    }
  }

  const IndexEntry* find(const std::string& name) const {
    if (const auto found = packages_.find(name); found != packages_.end()) return found->second;
    const auto found = provided_.find(name);
    return found == provided_.end() ? nullptr : found->second;
  }

  std::size_t size() const { return packages_.size(); }

  /// Names that nothing satisfies, each with what needs it; `seen` collects the packages that are pulled in.
  std::vector<std::string> missing(const std::vector<std::string>& wanted,
                                   std::set<std::string>& seen) const {
    std::vector<std::string> out;
    std::vector<std::pair<std::string, std::string>> todo;  // name, needed by
    for (const std::string& word : wanted) todo.emplace_back(word, "the recipe");
    while (!todo.empty()) {
      const auto [word, by] = todo.back();
      todo.pop_back();
      if (word.starts_with('!')) continue;  // a conflict
      const std::string name(recipe::package_name(word));
      const IndexEntry* entry = find(name);
      if (entry == nullptr) {
        out.push_back(name + ", needed by " + by);
      } else if (seen.insert(entry->name).second) {
        for (const std::string& next : entry->depends) todo.emplace_back(next, entry->name);
      }
    }
    return out;
  }

 private:
  std::map<std::string, const IndexEntry*> packages_, provided_;
};

TEST(ShippedPackages, ExistWithAllThatTheyNeed) {
  if (!fs::is_directory(index_folder())) GTEST_SKIP() << "no Alpine package indexes in " << index_folder();
  const Index main = read_index(index_folder() / "v3.19-main.APKINDEX.tar.gz");
  const Index community = read_index(index_folder() / "v3.19-community.APKINDEX.tar.gz");
  Repository repository;
  repository.add(main);
  repository.add(community);
  ASSERT_GT(repository.size(), 20000U);
  std::set<std::string> nothing;
  EXPECT_EQ(repository.missing({"no-such-package"}, nothing).size(), 1U);

  int profiles = 0;
  for (const fs::directory_entry& file : fs::directory_iterator(kRecipes)) {
    if (file.path().extension() != ".yaml") continue;
    const recipe::Recipe recipe = recipe::load_recipe(file.path());
    for (const std::string& profile : recipe.profiles()) {
      const recipe::ResolvedRecipe resolved = recipe::resolve(recipe, profile, {});
      if (!std::holds_alternative<recipe::AlpineBase>(resolved.base)) continue;
      ++profiles;
      std::vector<std::string> wanted;
      for (const recipe::Marked& package : resolved.packages.add) wanted.push_back(package.value);
      std::set<std::string> seen;
      for (const std::string& text : repository.missing(wanted, seen))
        ADD_FAILURE() << resolved.line() << ": no package " << text;
      EXPECT_GE(seen.size(), wanted.size()) << resolved.line();
      std::printf("%-22s %3zu named, %4zu with all that they need\n", resolved.line().c_str(),
                  resolved.packages.add.size(), seen.size());
    }
  }
  EXPECT_GE(profiles, 7);
}

}  // namespace
}  // namespace imgforge::fetch
