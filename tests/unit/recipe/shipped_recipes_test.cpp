// The recipes that come with imgforge: they resolve to what they promise. That their packages exist is the
// subject of unit/fetch/apk/shipped_packages_test.cpp.
#include <cstdlib>
#include <set>

#include "builder/recipe/show/show.hpp"
#include "core/process.hpp"
#include "support/source_dir.hpp"
#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

namespace fs = std::filesystem;

const fs::path kRecipes = source_dir() / "recipes";

TEST(ShippedRecipes, AllProfilesResolve) {
  const Recipe hello = load_recipe(kRecipes / "hello-boot.yaml");
  EXPECT_EQ(hello.profiles(), std::vector<std::string>{""});
  const ResolvedRecipe boot = resolve(hello, "", {});
  EXPECT_EQ(boot.line(), "hello-boot");
  EXPECT_TRUE(std::holds_alternative<EmbeddedBase>(boot.base));
  EXPECT_EQ(boot.disk.size, core::mib(128));
  EXPECT_NE(boot.files.at(1).content.text()->find("hello world from hello-boot v19700101"),
            std::string::npos);

  const Recipe unhinged = load_recipe(kRecipes / "unhinged-os.yaml");
  EXPECT_EQ(unhinged.profiles(), (std::vector<std::string>{"minimal", "server", "desktop", "dev", "custom"}));
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
  const std::set<std::string> local{"devfs",  "dmesg",   "hostname",       "bootmisc",      "syslog",
                                    "sysctl", "modules", "unhinged-ready", "killprocs",     "mount-ro",
                                    "dbus",   "seatd",   "voice-service",  "unhinged-setup"};
  for (const std::string& profile : unhinged.profiles()) {
    for (const Service& service : resolve(unhinged, profile, {}).services) {
      EXPECT_TRUE(local.contains(service.name)) << profile << " starts " << service.name;
    }
  }
}

TEST(ShippedRecipes, MeanTheSameAsReleasesKeepThem) {
  for (const auto& entry : fs::directory_iterator(kRecipes)) {
    if (entry.path().extension() != ".yaml") continue;
    const Recipe recipe = load_recipe(entry.path());
    for (const std::string& profile : recipe.profiles()) {
      const ResolvedRecipe first = resolve(recipe, profile, {});
      const std::string text = portable_yaml(first);
      const Recipe kept = parse_recipe(text, "recipe.yaml", "/nowhere");
      EXPECT_EQ(kept.profiles(), std::vector<std::string>{profile});
      EXPECT_TRUE(named_files(kept).empty()) << first.line();
      EXPECT_EQ(to_json(resolve(kept, profile, {})), to_json(first)) << text;
    }
  }
}

/// The content of a file of a recipe; empty when it has none.
std::string content_of(const ResolvedRecipe& recipe, std::string_view path) {
  for (const FileEntry& file : recipe.files) {
    if (file.path == path) return *file.content.text();
  }
  return {};
}

TEST(ShippedRecipes, EveryOneResolves) {
  std::set<std::string> lines;
  for (const fs::directory_entry& file : fs::directory_iterator(kRecipes)) {
    if (file.path().extension() != ".yaml") continue;
    const Recipe recipe = load_recipe(file.path());
    for (const std::string& profile : recipe.profiles()) {
      const ResolvedRecipe resolved = resolve(recipe, profile, {});
      lines.insert(resolved.line());
      EXPECT_FALSE(resolved.description.empty()) << resolved.line();
      EXPECT_FALSE(resolved.boot_expect.empty()) << resolved.line();
      for (const User& user : resolved.users) EXPECT_TRUE(user.ssh_keys.empty()) << "no key is shipped";
    }
  }
  EXPECT_EQ(lines, (std::set<std::string>{"digios-desktop", "digios-headless", "hello-boot", "kodeimage",
                                          "quetzalcore-vm", "unhinged-os-custom", "unhinged-os-desktop",
                                          "unhinged-os-dev", "unhinged-os-minimal", "unhinged-os-server"}));
}

TEST(ShippedRecipes, FormatsAreThoseOfTheirPurpose) {
  const auto formats = [](const char* name, const char* profile) {
    std::vector<std::string> out;
    for (const Marked& format : resolve(load_recipe(kRecipes / name), profile, {}).formats)
      out.push_back(format.value);
    return out;
  };
  using Words = std::vector<std::string>;
  EXPECT_EQ(formats("quetzalcore-vm.yaml", ""), (Words{"qcow2", "vm"}));
  EXPECT_EQ(formats("unhinged-os.yaml", "custom"), Words{"iso"});
  for (const char* profile : {"minimal", "server", "desktop", "dev"})
    EXPECT_EQ(formats("unhinged-os.yaml", profile), (Words{"qcow2", "iso"})) << profile;
}

TEST(ShippedRecipes, ServiceScriptsAreShellWithoutMistakes) {
  int scripts = 0;
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(kRecipes / "files")) {
    if (file.path().extension() != ".initd") continue;
    ++scripts;
    core::Command command;
    command.program = "busybox";
    command.args = {"sh", "-n", file.path().native()};
    const core::ProcessResult result = core::system_processes().run(command, core::CancelToken());
    EXPECT_EQ(result.exit_code, 0) << file.path() << result.err;
  }
  EXPECT_EQ(scripts, 4);
}

TEST(ShippedRecipes, ClonesMakeTheirOwnIdentity) {
  const ResolvedRecipe kode = resolve(load_recipe(kRecipes / "kodeimage.yaml"), "", {});
  EXPECT_EQ(kode.disk.root_mode, RootMode::kWritable);
  EXPECT_EQ(content_of(kode, "/etc/machine-id"), "");
  EXPECT_NE(content_of(kode, "/etc/init.d/clone-identity").find("opt/org.imgforge/hostname/raw"),
            std::string::npos);
  for (const FileEntry& file : kode.files) EXPECT_EQ(file.path.find("ssh_host"), std::string::npos);
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
