// The recipes that come with imgforge: they resolve, and the packages that they name exist.
#include <cstdlib>
#include <fstream>
#include <set>

#include "builder/recipe/show.hpp"
#include "builder/recipe/types.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

namespace fs = std::filesystem;

const fs::path kRecipes = fs::path(IMGFORGE_SOURCE_DIR) / "recipes";

fs::path alpine_material() {
  const char* set = std::getenv("IMGFORGE_TEST_ALPINE");
  return set != nullptr ? fs::path(set) : fs::path(IMGFORGE_SOURCE_DIR) / "../shared/alpine";
}

/// Names that the index of a repository knows: packages (P:) and what they provide (p:).
void add_names(const fs::path& index, const fs::path& folder, std::set<std::string, std::less<>>& names) {
  core::Command tar;
  tar.program = "tar";
  tar.args = {"-xzOf", index.native(), "APKINDEX"};
  tar.output_file = folder / "index";
  core::system_processes().check(tar, core::CancelToken());
  std::ifstream text(*tar.output_file);
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("P:")) names.insert(line.substr(2));
    if (!line.starts_with("p:")) continue;
    for (const std::string& word : core::split(line.substr(2), ' ')) names.emplace(package_name(word));
  }
}

TEST(ShippedRecipes, AllProfilesResolve) {
  const Recipe hello = load_recipe(kRecipes / "hello-boot.yaml");
  EXPECT_EQ(hello.profiles(), std::vector<std::string>{""});
  const ResolvedRecipe boot = resolve(hello, "", {});
  EXPECT_EQ(boot.line(), "hello-boot");
  EXPECT_TRUE(std::holds_alternative<EmbeddedBase>(boot.base));
  EXPECT_EQ(boot.disk.size, core::mib(128));
  EXPECT_NE(boot.files.at(1).content.find("hello world from hello-boot v19700101"), std::string::npos);

  const Recipe unhinged = load_recipe(kRecipes / "unhinged-os.yaml");
  EXPECT_EQ(unhinged.profiles(), (std::vector<std::string>{"minimal", "server", "desktop", "dev"}));
  struct Size {
    const char* profile;
    core::Bytes disk;
    core::Bytes memory;
    unsigned cpus;
  };
  for (const Size& size :
       {Size{"minimal", core::gib(1), core::mib(64), 1}, Size{"server", core::gib(2), core::mib(128), 1},
        Size{"desktop", core::gib(4), core::mib(256), 2}, Size{"dev", core::gib(8), core::mib(512), 4}}) {
    const ResolvedRecipe profile = resolve(unhinged, size.profile, {});
    EXPECT_EQ(profile.disk.size, size.disk) << size.profile;
    EXPECT_EQ(profile.requirements.memory, size.memory) << size.profile;
    EXPECT_EQ(profile.requirements.cpus, size.cpus) << size.profile;
  }
}

TEST(ShippedRecipes, NoProfileStartsANetworkService) {
  const Recipe unhinged = load_recipe(kRecipes / "unhinged-os.yaml");
  const std::set<std::string> local{"devfs",   "dmesg",          "hostname",  "bootmisc", "syslog", "sysctl",
                                    "modules", "unhinged-ready", "killprocs", "mount-ro", "dbus",   "seatd"};
  for (const std::string& profile : unhinged.profiles()) {
    for (const Service& service : resolve(unhinged, profile, {}).services) {
      EXPECT_TRUE(local.contains(service.name)) << profile << " starts " << service.name;
    }
  }
}

TEST(ShippedRecipes, PackagesExist) {
  const fs::path indexes = alpine_material() / "data/index";
  if (!fs::is_directory(indexes)) GTEST_SKIP() << "no Alpine package indexes in " << indexes;
  const core::TempDir folder(fs::temp_directory_path(), "recipe-test");
  std::set<std::string, std::less<>> names;
  for (const fs::directory_entry& index : fs::directory_iterator(indexes))
    add_names(index.path(), folder.path(), names);
  ASSERT_GT(names.size(), 20000U);
  const Recipe unhinged = load_recipe(kRecipes / "unhinged-os.yaml");
  for (const std::string& profile : unhinged.profiles()) {
    const ResolvedRecipe recipe = resolve(unhinged, profile, {.set = {"base.alpine.release=3.19"}});
    for (const Marked& package : recipe.packages.add) {
      EXPECT_TRUE(names.contains(package_name(package.value))) << profile << ": no package " << package.value;
    }
    EXPECT_TRUE(names.contains(recipe.kernel.package));
  }
}

TEST(ShippedRecipes, MinimalProfileInstallsFromTheOfflineMirror) {
  const fs::path packages = alpine_material() / "data/apks/x86_64";
  if (!fs::is_directory(packages)) GTEST_SKIP() << "no Alpine packages in " << packages;
  for (const Marked& package :
       resolve(load_recipe(kRecipes / "unhinged-os.yaml"), "minimal", {}).packages.add) {
    if (package.value == "linux-virt") continue;  // made from the machine's kernel
    bool found = false;
    for (const fs::directory_entry& file : fs::directory_iterator(packages)) {
      const std::string name = file.path().filename();
      found = found || (name.starts_with(package.value + "-") && name.size() > package.value.size() + 1 &&
                        name[package.value.size() + 1] >= '0' && name[package.value.size() + 1] <= '9');
    }
    EXPECT_TRUE(found) << package.value;
  }
}

}  // namespace
}  // namespace imgforge::recipe
