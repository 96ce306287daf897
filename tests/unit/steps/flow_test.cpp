// How a build flows: what is made, what is known, what goes on after an error, and that a plan says the same.
// Everything is real but the sandbox: mirror, cache, boot files, images, release.
#include "builder/steps/lock.hpp"
#include "unit/steps/steps_lab.hpp"

namespace imgforge::steps {
namespace {

using engine::Outlook;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

namespace fs = std::filesystem;

class Flow : public testing::StepsLab {
 protected:
  Flow() { recipe_ = testing::small_recipe(mirror_.url()); }
  core::Digest artifact(const ProfileOutcome& outcome, const std::string& format) {
    for (const artifacts::ManifestArtifact& row : outcome.manifest.artifacts) {
      if (row.format == format) return row.sha256;
    }
    ADD_FAILURE() << "no " << format;
    return {};
  }
  /// The root file systems in the cache: with packages, and customised.
  std::vector<core::Digest> tars() {
    std::vector<core::Digest> found;
    for (const auto& entry : fs::recursive_directory_iterator(blobs_.root())) {
      if (!entry.is_regular_file() || entry.file_size() < 1024) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      std::string head(262, '\0');
      in.read(head.data(), static_cast<std::streamsize>(head.size()));
      if (head.substr(257, 5) == "ustar")
        found.push_back(core::digest_of_file(core::HashAlgorithm::kSha256, entry.path()));
    }
    return found;
  }
  void expect_second_build_knows_all() {
    run();
    for (const auto& [step, state] : progress_.ends) {
      if (step != "demo-minimal/release" && step != "demo-minimal/indexes") {
        EXPECT_EQ(state, "known") << step;
      }
    }
    EXPECT_THAT(script_.calls, ElementsAre());
  }
  testing::SmallAlpine mirror_;
};

TEST_F(Flow, ABuildMakesEveryStepAndPublishes) {
  const ProfileOutcome outcome = run();
  EXPECT_EQ(outcome.outcome, artifacts::PublishOutcome::kPublished);
  EXPECT_THAT(
      progress_.ends,
      UnorderedElementsAre(Pair("demo-minimal/base", "made"), Pair("demo-minimal/indexes", "made"),
                           Pair("demo-minimal/packages", "made"), Pair("demo-minimal/installed", "made"),
                           Pair("demo-minimal/rootfs", "made"), Pair("demo-minimal/boot files", "made"),
                           Pair("demo-minimal/raw", "made"), Pair("demo-minimal/rootfs archive", "made"),
                           Pair("demo-minimal/release", "made")));
  EXPECT_EQ(script_.count("start"), 1) << "resolving, installing and customising share a sandbox";
  EXPECT_EQ(script_.count("tar_in /"), 2) << "base and customisation";
  EXPECT_EQ(script_.count("run"), 2) << "apk chooses, apk installs";
  EXPECT_EQ(script_.calls.back(), "finish");
  ASSERT_EQ(outcome.manifest.packages.size(), 1u);
  EXPECT_EQ(outcome.manifest.packages[0].name, "hello");
  EXPECT_EQ(outcome.manifest.isolation, "none");
  EXPECT_EQ(outcome.manifest.kernel_release, "6.6.1-virt");
  EXPECT_EQ(outcome.manifest.base.release, "3.22.2");
}

TEST_F(Flow, WhatIsKnownIsNotMadeAgain) {
  const ProfileOutcome first = run();
  expect_second_build_knows_all();
  recipe_.version = "v20261121";
  EXPECT_EQ(artifact(run(), "raw"), artifact(first, "raw"));
}

TEST_F(Flow, AChangeMakesOnlyWhatDependsOnIt) {
  const core::Digest archive = artifact(run(), "rootfs");
  recipe_.disk.size = core::mib(112);
  recipe_.version = "v20261121";
  const ProfileOutcome second = run();
  EXPECT_EQ(progress_.ends["demo-minimal/raw"], "made");
  EXPECT_EQ(progress_.ends["demo-minimal/rootfs"], "known");
  EXPECT_EQ(progress_.ends["demo-minimal/boot files"], "known");
  EXPECT_EQ(progress_.ends["demo-minimal/rootfs archive"], "known");
  EXPECT_EQ(artifact(second, "rootfs"), archive);
  EXPECT_EQ(script_.count("start"), 0);
}

TEST_F(Flow, AChangedCustomisationInstallsNoPackageAgain) {
  run();
  recipe_.hostname = "other";
  recipe_.version = "v20261121";
  run();
  EXPECT_EQ(progress_.ends["demo-minimal/installed"], "known");
  EXPECT_EQ(progress_.ends["demo-minimal/rootfs"], "made");
  EXPECT_EQ(script_.count("start"), 1);
  EXPECT_EQ(script_.count("tar_in /"), 2) << "packages and customisation";
  EXPECT_EQ(script_.count("run"), 0) << "apk has nothing to do";
}

TEST_F(Flow, ProfilesDoInOneBuildOnceWhatTheyHaveInCommon) {
  recipe::ResolvedRecipe other = recipe_;
  other.profile = "other";
  other.hostname = "other";
  BuildRequest wanted = request();
  wanted.profiles.push_back(other);
  const std::vector<ProfileOutcome> outcomes = build(tools_, wanted);
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_EQ(outcomes[0].line, "demo-minimal");
  EXPECT_EQ(outcomes[1].line, "demo-other");
  EXPECT_EQ(script_.count("run"), 2) << "apk chooses once and installs once";
  EXPECT_EQ(script_.count("tar_out"), 3) << "packages once, a root file system each";
  EXPECT_EQ(progress_.ends.count("demo-other/base"), 0u) << "it is the one of the first profile";
  EXPECT_NE(artifact(outcomes[0], "rootfs"), artifact(outcomes[1], "rootfs"));
  EXPECT_EQ(outcomes[0].manifest.packages, outcomes[1].manifest.packages);
  const auto has = [](const ProfileOutcome& outcome, const std::string& id) {
    return std::any_of(outcome.steps.begin(), outcome.steps.end(),
                       [&](const engine::StepReport& report) { return report.id == id; });
  };
  EXPECT_TRUE(has(outcomes[1], "demo-minimal/base")) << "each profile tells all that it is made from";
  EXPECT_TRUE(has(outcomes[1], "demo-other/rootfs"));
  EXPECT_FALSE(has(outcomes[0], "demo-other/rootfs"));
}

TEST_F(Flow, OneFailingProfilePublishesNothingOfItself) {
  recipe::ResolvedRecipe bad = recipe_;
  bad.profile = "bad";
  bad.disk.size = core::mib(8);
  BuildRequest wanted = request();
  wanted.profiles.push_back(bad);
  const core::Error error = imgforge::testing::error_of([&] { build(tools_, wanted); });
  EXPECT_EQ(error.kind(), core::Kind::kImage) << error.message();
  EXPECT_THAT(error.contexts(), ::testing::Contains("making demo-bad/raw"));
  EXPECT_FALSE(fs::exists(folder_ / "store/releases/demo-bad/current"));
}

TEST_F(Flow, ANewerPackageIsChosenAndInstalled) {
  run();
  mirror_.put_package("1.1-r0");
  script_.apk_output = "(1/1) Installing hello (1.1-r0)\nOK\n";
  recipe_.version = "v20261121";
  EXPECT_EQ(run().manifest.packages.at(0).version, "1.1-r0");
  EXPECT_EQ(progress_.ends["demo-minimal/base"], "known");
  EXPECT_EQ(progress_.ends["demo-minimal/rootfs"], "made");
}

TEST_F(Flow, ALostRootFileSystemIsMadeAgainAndWhatDependsOnItIsKnown) {
  const ProfileOutcome first = run();
  fs::remove_all(folder_ / "store");
  const std::vector<core::Digest> lost = tars();
  ASSERT_EQ(lost.size(), 2u);
  for (const core::Digest& tar : lost) fs::remove(blob(tar));
  fs::remove(blob(artifact(first, "raw")));
  EXPECT_EQ(outlooks().at("demo-minimal/rootfs").why, "files of it are gone from the cache");
  const ProfileOutcome second = run();
  EXPECT_EQ(progress_.ends["demo-minimal/rootfs"], "made");
  EXPECT_EQ(progress_.ends["demo-minimal/installed"], "made");
  EXPECT_EQ(progress_.ends["demo-minimal/packages"], "known");
  EXPECT_EQ(progress_.ends["demo-minimal/raw"], "made");
  EXPECT_EQ(progress_.ends["demo-minimal/boot files"], "known");
  EXPECT_EQ(artifact(second, "raw"), artifact(first, "raw"));
}

TEST_F(Flow, WhatComesOutDifferentWhenMadeAgainIsAnError) {
  const ProfileOutcome first = run();
  fs::remove_all(folder_ / "store");
  for (const auto& entry : fs::recursive_directory_iterator(blobs_.root())) {
    if (entry.is_regular_file() && entry.path().filename() != ".lock" && entry.file_size() > (1 << 20))
      fs::remove(entry.path());
  }
  script_.before_export = [](const fs::path& root) { testing::spill(root / "etc/random", "something else"); };
  const core::Error error = failure();
  EXPECT_THAT(error.message(), HasSubstr("demo-minimal/installed was made again and came out different"));
  EXPECT_TRUE(store_is_empty());
}

TEST_F(Flow, APackageThatDoesNotMatchTheIndexIsRefusedBeforeTheSandboxSeesIt) {
  std::string bytes = core::read_text_file(mirror_.package("1.0-r0"));
  bytes[bytes.size() - 20] ^= 1;
  testing::spill(mirror_.package("1.0-r0"), bytes);
  const core::Error error = failure();
  EXPECT_THAT(std::string(error.message()), HasSubstr("hello-1.0-r0"));
  EXPECT_EQ(script_.count("run"), 1) << "apk only chose";
  EXPECT_TRUE(store_is_empty());
}

TEST_F(Flow, AWrongPinOfTheBaseIsRefusedBeforeAnythingElse) {
  std::get<recipe::AlpineBase>(recipe_.base).digest =
      core::digest_of(core::HashAlgorithm::kSha256, "another");
  const core::Error error = failure();
  EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
  EXPECT_EQ(script_.count("run"), 0);
  EXPECT_TRUE(store_is_empty());
}

TEST_F(Flow, WhatApkSaysIsTold) {
  script_.on_run = [](std::string_view) {
    return guest::ScriptResult{1, "ERROR: unable to select packages:\n  hello (no such package):\n", false};
  };
  const core::Error error = failure();
  EXPECT_EQ(error.kind(), core::Kind::kPackage);
  EXPECT_THAT(error.message(), HasSubstr("there is no package \"hello\""));
  EXPECT_TRUE(store_is_empty());
  EXPECT_EQ(progress_.ends.count("demo-minimal/packages"), 0u);
}

TEST_F(Flow, AFailingRunStepEndsTheBuildAndTheNextOneGoesOnThere) {
  recipe_.run.push_back({"false", {}});
  script_.on_run = [this](std::string_view script) {
    return guest::ScriptResult{script.ends_with("false\n") ? 7 : 0, script_.apk_output, false};
  };
  const core::Error error = failure();
  EXPECT_THAT(error.message(), HasSubstr("run step 1 of 1 failed with exit code 7"));
  EXPECT_TRUE(store_is_empty());
  script_.on_run = {};
  run();
  EXPECT_EQ(progress_.ends["demo-minimal/packages"], "known");
  EXPECT_EQ(progress_.ends["demo-minimal/rootfs"], "made");
}

TEST_F(Flow, AnInterruptedBuildPublishesNothingAndTheNextOneGoesOn) {
  script_.before_export = [this](const fs::path&) { cancel_.cancel(); };
  EXPECT_EQ(failure().kind(), core::Kind::kInterrupted);
  EXPECT_TRUE(store_is_empty());
  EXPECT_EQ(progress_.ends.count("demo-minimal/raw"), 0u);
}

TEST_F(Flow, ADiskThatIsTooSmallFailsAloneAndWhatWasMadeStaysKnown) {
  recipe_.disk.size = core::mib(8);
  const core::Error error = failure();
  EXPECT_EQ(error.kind(), core::Kind::kImage) << error.message();
  EXPECT_TRUE(store_is_empty()) << "the format that could be made is not published without the other";
  recipe_.disk.size = core::mib(96);
  run();
  EXPECT_EQ(progress_.ends["demo-minimal/rootfs"], "known");
  EXPECT_EQ(progress_.ends["demo-minimal/raw"], "made");
}

TEST_F(Flow, APlanSaysWhatABuildThenDoes) {
  const auto before = outlooks();
  EXPECT_EQ(before.at("demo-minimal/base").outlook, Outlook::kRun);
  EXPECT_EQ(before.at("demo-minimal/raw").outlook, Outlook::kRun);
  EXPECT_THAT(script_.calls, ElementsAre()) << "a plan starts nothing";
  EXPECT_FALSE(fs::exists(folder_ / "store"));
  const auto agree = [&] {
    const auto rows = outlooks();
    run();
    EXPECT_EQ(rows.size(), progress_.ends.size());
    for (const auto& [id, row] : rows) {
      if (row.outlook == Outlook::kAsked) continue;
      EXPECT_EQ(progress_.ends[id], row.outlook == Outlook::kKnown ? "known" : "made") << id;
    }
  };
  agree();
  agree();
  recipe_.disk.size = core::mib(112);
  recipe_.version = "v20261121";
  EXPECT_THAT(outlooks().at("demo-minimal/raw").why, HasSubstr("parameters.disk.size"));
  agree();
  recipe_.hostname = "other";
  recipe_.version = "v20261122";
  EXPECT_EQ(outlooks().at("demo-minimal/raw").why, "it depends on rootfs");
  agree();
}

TEST_F(Flow, ARecordOfAnotherVersionOfImgforgeIsAbsent) {
  run();
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "cache/steps")) {
    if (!entry.is_regular_file() || entry.path().string().find("/last/") != std::string::npos) continue;
    std::string text = core::read_text_file(entry.path());
    const auto at = text.find("\"result\": {");
    ASSERT_NE(at, std::string::npos) << text;
    testing::spill(entry.path(), text.insert(at + 11, "\"further\": 1, "));
  }
  run();
  EXPECT_EQ(progress_.ends["demo-minimal/rootfs"], "made");
  EXPECT_EQ(progress_.ends["demo-minimal/raw"], "made");
}

TEST_F(Flow, ALockIsMadeWithoutARootFileSystemAndBuiltFromWhateverTheMirrorHasThen) {
  const lock::Lock lock = make_lock(tools_, "demo.yaml", {recipe_}, std::nullopt);
  EXPECT_EQ(script_.count("tar_out"), 0);
  ASSERT_EQ(lock.packages.size(), 1u);
  EXPECT_EQ(lock.packages[0].version, "1.0-r0");
  mirror_.put_package("1.1-r0");
  BuildRequest wanted = request();
  wanted.lock = lock;
  const ProfileOutcome outcome = run(wanted);
  EXPECT_EQ(outcome.manifest.packages.at(0).version, "1.0-r0");
  EXPECT_EQ(script_.count("run"), 1) << "apk installs, nothing is chosen";
}

}  // namespace
}  // namespace imgforge::steps
