// Which steps a profile has, what each is made from, and what its fingerprint holds.
#include "builder/steps/profile_graph.hpp"

#include <algorithm>
#include <regex>
#include <set>
#include <utility>

#include "artifacts/manifest/formats.hpp"
#include "builder/engine/fingerprint.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "support/source_dir.hpp"
#include "unit/steps/steps_lab.hpp"

namespace imgforge::steps {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ProfileGraphTest : public testing::StepsLab {
 protected:
  engine::Graph graph() {
    profile_.emplace(tools_, recipe_, ProfileOptions{});
    engine::Graph made;
    add_profile(made, *profile_, request_);
    return made;
  }
  std::vector<std::string> ids() {
    const engine::Graph all = graph();
    std::vector<std::string> out;
    for (const engine::StepRecord& step : all.steps()) out.push_back(step.id.substr(step.id.find('/') + 1));
    return out;
  }
  /// "base bytes", "packages value", "indexes when run".
  std::vector<std::string> inputs(const std::string& step) {
    const engine::Graph all = graph();
    std::vector<std::string> out;
    for (const engine::Input& input : all.find(recipe_.line() + "/" + step)->inputs) {
      const std::string& id = all.steps().at(input.step).id;
      const char* use = input.use == engine::Use::kBytes   ? " bytes"
                        : input.use == engine::Use::kValue ? " value"
                                                           : " when run";
      out.push_back(id.substr(id.find('/') + 1) + use);
    }
    return out;
  }
  engine::StepRecord step(const std::string& name) { return *graph().find(recipe_.line() + "/" + name); }
  std::string parameters(const std::string& name) { return step(name).parameters; }
  /// All that the recipe says to the root file system and what it is made from.
  std::string rootfs_text() {
    std::string text;
    for (const char* name : {"base", "indexes", "packages", "installed", "rootfs"})
      text += engine::canonical_text(step(name), {}, {});
    return text;
  }
  ReleaseRequest request_;
  std::optional<Profile> profile_;
};

TEST_F(ProfileGraphTest, AnAlpineProfileHasEveryStepInOrder) {
  EXPECT_THAT(ids(), ElementsAre("base source", "base", "indexes", "packages", "package files", "installed",
                                 "rootfs", "file list", "boot files", "inventory", "raw", "rootfs archive",
                                 "release lock", "release"));
}

TEST_F(ProfileGraphTest, EveryEdgeIsThere) {
  EXPECT_THAT(inputs("base source"), IsEmpty());
  EXPECT_THAT(inputs("base"), ElementsAre("base source value"));
  EXPECT_THAT(inputs("indexes"), ElementsAre("base source value", "base bytes"));
  EXPECT_THAT(inputs("packages"), ElementsAre("base bytes", "indexes value", "base source when run"));
  EXPECT_THAT(inputs("package files"), ElementsAre("base source value", "indexes value", "packages value"));
  EXPECT_THAT(inputs("installed"),
              ElementsAre("base bytes", "packages value", "indexes when run", "package files when run"));
  EXPECT_THAT(inputs("rootfs"), ElementsAre("installed bytes", "packages value"));
  EXPECT_THAT(inputs("file list"), ElementsAre("rootfs bytes"));
  EXPECT_THAT(inputs("boot files"), ElementsAre("installed bytes"));
  EXPECT_THAT(inputs("inventory"), ElementsAre("rootfs bytes", "boot files value"));
  EXPECT_THAT(inputs("raw"), ElementsAre("rootfs bytes", "boot files bytes"));
  EXPECT_THAT(inputs("rootfs archive"), ElementsAre("rootfs bytes"));
  EXPECT_THAT(inputs("release lock"), ElementsAre("base source value", "base value", "packages value",
                                                  "indexes when run", "package files when run"));
  EXPECT_THAT(inputs("release"), ElementsAre("base source value", "base value", "rootfs value",
                                             "file list bytes", "boot files value", "inventory value",
                                             "raw bytes", "rootfs archive bytes", "release lock value"));
}

TEST_F(ProfileGraphTest, BootFilesFollowTheRootfsOnlyWhereTheRecipeMayChangeWhatTheyAreMadeFrom) {
  const auto source = [this] { return inputs("boot files"); };
  recipe_.files.emplace_back().path = "/etc/motd";
  recipe_.directories.emplace_back().path = "/etc/app";
  EXPECT_THAT(source(), ElementsAre("installed bytes"));
  for (const char* path :
       {"/boot/vmlinuz-own", "/lib/modules/x/y.ko", "/usr/bin/busybox.static", "/etcetera"}) {
    recipe_.files.back().path = path;
    EXPECT_THAT(source(), ElementsAre("rootfs bytes")) << path;
  }
  recipe_.files.clear();
  recipe_.directories.back().path = "/lib/modules/x";
  EXPECT_THAT(source(), ElementsAre("rootfs bytes"));
  recipe_.directories.clear();
  recipe_.links.emplace_back().path = "/etc/x";
  EXPECT_THAT(source(), ElementsAre("rootfs bytes"));
  recipe_.links.clear();
  recipe_.run.emplace_back();
  EXPECT_THAT(source(), ElementsAre("rootfs bytes"));
  recipe_.run.clear();
  recipe_.first_boot.emplace();
  EXPECT_THAT(source(), ElementsAre("rootfs bytes"));
  recipe_.first_boot.reset();
  recipe_.shared.emplace();
  EXPECT_THAT(source(), ElementsAre("rootfs bytes"));
}

TEST_F(ProfileGraphTest, ModelsSquashfsKeysAndBootsHaveTheirEdges) {
  recipe::Model model;
  model.name = "tiny";
  recipe_.models = {model};
  recipe_.secure_boot.emplace();
  recipe_.formats = {{"raw", {}}, {"iso", {}}, {"oci", {}}};
  request_.boot_test = BootTest::kYes;
  EXPECT_THAT(inputs("squashfs"), ElementsAre("rootfs bytes", "models value"));
  EXPECT_THAT(inputs("raw"), ElementsAre("rootfs bytes", "models value", "boot files bytes", "squashfs bytes",
                                         "secure boot value"));
  EXPECT_THAT(inputs("iso"),
              ElementsAre("rootfs bytes", "models value", "boot files bytes", "squashfs bytes"));
  EXPECT_THAT(inputs("oci"), ElementsAre("rootfs bytes", "models value"));
  EXPECT_THAT(inputs("boot raw"), ElementsAre("raw bytes", "boot files value"));
  EXPECT_THAT(inputs("boot iso"), ElementsAre("iso bytes", "boot files value"));
  EXPECT_THAT(inputs("release"),
              ElementsAre("base source value", "base value", "models value", "rootfs value",
                          "file list bytes", "boot files value", "inventory value", "raw bytes", "iso bytes",
                          "oci bytes", "boot raw value", "boot iso value", "release lock value"));
  EXPECT_THAT(inputs("release lock"), Contains("models value"));
}

TEST_F(ProfileGraphTest, EachProfileHasALockOfItsOwn) {
  const std::string before = parameters("release lock");
  recipe_.profile = "other";
  EXPECT_NE(parameters("release lock"), before);
}

TEST_F(ProfileGraphTest, AnIsoBaseIsOnlyRemastered) {
  std::get<recipe::AlpineBase>(recipe_.base).flavor = "virt-iso";
  recipe_.formats = {{"iso", {}}};
  EXPECT_THAT(ids(), ElementsAre("base source", "base", "iso", "release lock", "release"));
  EXPECT_THAT(inputs("iso"), ElementsAre("base bytes"));
  EXPECT_THAT(inputs("release"),
              ElementsAre("base source value", "base value", "iso bytes", "release lock value"));
  EXPECT_THAT(step("base").summary, HasSubstr("Alpine 3.22 x86_64 virt-iso"));
  const std::string before = parameters("iso");
  recipe_.packages.add.push_back({"chrony", {}});
  const std::string with_package = parameters("iso");
  EXPECT_NE(with_package, before);
  recipe_.hostname = "other";
  const std::string with_name = parameters("iso");
  EXPECT_NE(with_name, with_package);
  recipe_.iso_volume_id = "OTHER";
  EXPECT_NE(parameters("iso"), with_name);
}

TEST_F(ProfileGraphTest, TheEmbeddedBaseNeedsNoIndexesAndNoPackages) {
  recipe_.base = recipe::EmbeddedBase{};
  EXPECT_THAT(ids(), ElementsAre("base source", "base", "rootfs", "file list", "boot files", "inventory",
                                 "raw", "rootfs archive", "release lock", "release"));
  EXPECT_THAT(inputs("rootfs"), ElementsAre("base bytes"));
}

TEST_F(ProfileGraphTest, NoTwoStepsOfAllFormatsHaveTheSameId) {
  recipe_.base = recipe::EmbeddedBase{};
  recipe_.formats.clear();
  for (const std::string_view name : artifacts::kFormatNames)
    recipe_.formats.push_back({std::string(name), {}});
  const std::vector<std::string> all = ids();
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
  EXPECT_GE(all.size(), recipe_.formats.size() + 5);
}

TEST_F(ProfileGraphTest, WhatDoesNotShapeTheRootFileSystemIsNotInItsFingerprint) {
  const std::string before = rootfs_text();
  auto& alpine = std::get<recipe::AlpineBase>(recipe_.base);
  alpine.replaced_mirrors = std::exchange(alpine.mirrors, {"file:///elsewhere"});  // as --mirror does
  recipe_.folder = "/another/place";
  recipe_.description = "words";
  recipe_.disk.size = core::gib(4);
  recipe_.version = "v20261121";
  recipe_.formats.push_back({"qcow2", {}});
  EXPECT_EQ(rootfs_text(), before);
}

/// apk's files in the image tell of them, even when they lead to the same packages.
TEST_F(ProfileGraphTest, AllThatTheRecipeSaysToPackagesIsInTheFingerprintOfTheInstalledOnes) {
  std::set<std::string> seen{parameters("installed")};
  const auto expect_new = [&](const char* what) {
    EXPECT_TRUE(seen.insert(parameters("installed")).second) << what;
  };
  recipe_.packages.add.push_back({"musl", {}});
  expect_new("a package that another one needs anyway");
  recipe_.packages.remove.push_back({"nothing", {}});
  expect_new("a package that is not there");
  recipe_.packages.repositories.push_back({"community", {}});
  expect_new("repository");
  recipe_.kernel.package = "linux-lts";
  expect_new("kernel");
  recipe_.packages.keys = {{"/keys/a.rsa.pub", {}}};
  recipe_.packages.key_digests = {core::digest_of(core::HashAlgorithm::kSha256, "one")};
  expect_new("key");
  recipe_.packages.key_digests = {core::digest_of(core::HashAlgorithm::kSha256, "two")};
  expect_new("key of the same name");
}

TEST_F(ProfileGraphTest, EverythingElseIs) {
  std::set<std::string> texts{rootfs_text()};
  const auto expect_new = [&](const char* what) { EXPECT_TRUE(texts.insert(rootfs_text()).second) << what; };
  recipe_.hostname = "other";
  expect_new("hostname");
  recipe_.files.push_back({"/etc/x", "content", 0644, "root", "root", {}});
  expect_new("file");
  recipe_.files[0].content = "other content";
  expect_new("content");
  recipe_.run.push_back({"true", {}});
  expect_new("run step");
  recipe_.packages.add.push_back({"chrony", {}});
  expect_new("package");
  recipe_.packages.repositories.push_back({"community", {}});
  expect_new("repository");
  std::get<recipe::AlpineBase>(recipe_.base).release = "3.21";
  expect_new("base");
}

TEST_F(ProfileGraphTest, EveryStepThatMakesBytesNamesTheCodeThatShapesThem) {
  recipe_.formats = {{"raw", {}}, {"iso", {}}, {"oci", {}}};
  request_.boot_test = BootTest::kYes;
  const engine::Graph all = graph();
  std::set<std::string> kinds;
  for (const engine::StepRecord& step : all.steps()) {
    if (step.freshness != engine::Freshness::kRecorded || step.kind == "base") continue;  // bytes of others
    ASSERT_TRUE(step.tools) << step.id;
    const engine::Tools tools = step.tools();
    EXPECT_TRUE(std::any_of(tools.begin(), tools.end(), [](const auto& tool) {
      return tool.first.starts_with("code of ");
    })) << step.id;
    kinds.insert(step.kind);
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"packages", "installed", "rootfs", "file list", "boot files",
                                          "squashfs", "artifact", "boot", "release lock", "inventory"}));
}

TEST(CodeDigests, AreOnesOfTheCodeThatIsThere) {
  std::set<std::string_view> digests;
  for (const CodeDigest& row : code_digests()) {
    EXPECT_EQ(row.sha256.size(), 64u) << row.room;
    EXPECT_TRUE(digests.insert(row.sha256).second) << row.room;
    const std::string path = source_dir() / row.room;
    EXPECT_TRUE(std::filesystem::exists(path) || std::filesystem::exists(path + ".cpp")) << path;
  }
  EXPECT_EQ(code_of({"builder/guest"}).begin()->first, "code of builder/guest");
  EXPECT_THROW(code_of({"builder/nowhere"}), core::Error);
}

TEST(CodeDigests, AreThereForAllThatStepsName) {
  std::set<std::string> named;
  for (const auto& file : std::filesystem::recursive_directory_iterator(source_dir() / "builder")) {
    if (file.path().extension() != ".cpp") continue;
    const std::string text = core::read_text_file(file.path());
    const std::regex call(R"re(code_of\(\{([^}]*)\})re"), word(R"re("([^"]+)")re");
    for (std::sregex_iterator found(text.begin(), text.end(), call), end; found != end; ++found) {
      const std::string rooms = (*found)[1];
      for (std::sregex_iterator room(rooms.begin(), rooms.end(), word); room != end; ++room)
        named.insert((*room)[1]);
    }
  }
  EXPECT_GE(named.size(), 8u);
  for (const std::string& room : named) EXPECT_NO_THROW(code_of({std::string_view(room)})) << room;
  EXPECT_EQ(named.size(), code_digests().size()) << "a room that no step names";
}

}  // namespace
}  // namespace imgforge::steps
