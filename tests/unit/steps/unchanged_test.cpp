// Unchanged costs nothing: what a second build, of a process of its own, still opens, and what it notices all
// the same. Everything is real but the sandbox.
#include "artifacts/check/verify.hpp"
#include "support/open_watch.hpp"
#include "unit/steps/steps_lab.hpp"

namespace imgforge::steps {
namespace {

using artifacts::Earlier;
using artifacts::PublishOutcome;
using ::testing::IsEmpty;
using ::testing::SizeIs;

namespace fs = std::filesystem;

class Unchanged : public testing::StepsLab {
 protected:
  Unchanged() { recipe_ = testing::small_recipe(mirror_.url()); }
  ProfileOutcome build_once(Earlier earlier = Earlier::kBelieve) {
    artifacts::BlobStore blobs(folder_ / "cache/blobs",
                               std::make_unique<artifacts::DigestMemory>(folder_ / "cache/digests", earlier));
    stages::Toolbox tools{.processes = tools_.processes,
                          .http = tools_.http,
                          .blobs = blobs,
                          .steps = tools_.steps,
                          .progress = tools_.progress,
                          .clock = tools_.clock,
                          .cancel = tools_.cancel,
                          .cache_dir = tools_.cache_dir,
                          .host = tools_.host,
                          .jobs = 2,
                          .start_sandbox = tools_.start_sandbox};
    progress_.ends.clear();
    script_.calls.clear();
    return steps::build(tools, request()).at(0);
  }
  /// Blobs and published files of some size that a build opens: not manifests and sums, nor the base, whose
  /// keys it reads to check the index.
  std::set<fs::path> opened(Earlier earlier = Earlier::kBelieve) {
    imgforge::testing::OpenWatch watch(folder_ / "cache/blobs/sha256");
    watch.add(folder_ / "store/releases");
    const ProfileOutcome outcome = build_once(earlier);
    EXPECT_EQ(outcome.outcome, PublishOutcome::kIdentical);
    std::set<fs::path> files = watch.opened();
    files.erase(blob(outcome.manifest.base.sha256));
    std::erase_if(files, [](const fs::path& file) { return fs::file_size(file) < (32 << 10); });
    return files;
  }
  /// A published artifact.
  fs::path published(const ProfileOutcome& outcome, const std::string& format) {
    for (const artifacts::ManifestArtifact& row : outcome.manifest.artifacts) {
      if (row.format == format) return outcome.directory / row.file;
    }
    ADD_FAILURE() << "no " << format;
    return {};
  }
  static void damage(const fs::path& file) {
    fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(5000);
    out << "damaged";
  }
  testing::SmallAlpine mirror_;
};

TEST_F(Unchanged, TheSecondBuildOpensNoImage) {
  build_once();
  EXPECT_THAT(opened(), IsEmpty());
  EXPECT_THAT(script_.calls, IsEmpty());
  EXPECT_THAT(opened(Earlier::kForget), SizeIs(4)) << "two images, in the cache and published";
}

TEST_F(Unchanged, ADamagedImageInTheStoreIsNoticed) {
  const ProfileOutcome first = build_once();
  damage(published(first, "raw"));
  const ProfileOutcome second = build_once();
  EXPECT_EQ(second.outcome, PublishOutcome::kPublished);
  EXPECT_EQ(second.manifest.version, "v20261120.1");
}

TEST_F(Unchanged, ADamagedImageInTheCacheIsMadeAgain) {
  const ProfileOutcome first = build_once();
  for (const artifacts::ManifestArtifact& row : first.manifest.artifacts) {
    if (row.format == "raw") damage(blob(row.sha256));
  }
  const ProfileOutcome second = build_once();
  EXPECT_EQ(progress_.ends["demo-minimal/raw"], "made");
  EXPECT_EQ(progress_.ends["demo-minimal/rootfs"], "known");
  EXPECT_EQ(second.outcome, PublishOutcome::kIdentical);
}

TEST_F(Unchanged, ALieAboutAnImageIsBelievedByTheBuildAndNotByVerify) {
  const ProfileOutcome first = build_once();
  const fs::path image = published(first, "raw");
  const auto before = *artifacts::identity_of(image);
  damage(image);
  artifacts::DigestMemory lies(folder_ / "cache/digests", Earlier::kBelieve);
  const auto after = *artifacts::identity_of(image);
  artifacts::seal(core::open_file(image, O_RDWR).get());
  const auto sealed = *artifacts::identity_of(image);
  ASSERT_NE(before, after);
  for (const artifacts::ManifestArtifact& row : first.manifest.artifacts) {
    if (row.format == "raw")
      lies.remember({image, artifacts::now_seen(sealed), sealed, row.sha256, true, true});
  }
  lies.save();
  EXPECT_EQ(build_once().outcome, PublishOutcome::kIdentical);
  const auto report = artifacts::verify_release(first.directory, {});
  const auto damaged = std::find_if(report.rows.begin(), report.rows.end(), [&](const auto& row) {
    return row.subject == image.filename() && row.check == "digest";
  });
  ASSERT_NE(damaged, report.rows.end());
  EXPECT_FALSE(damaged->ok);
  EXPECT_EQ(build_once(Earlier::kForget).outcome, PublishOutcome::kPublished);
}

TEST_F(Unchanged, PackagesGiveAProfileWithAnotherFileItsBootFiles) {
  build_once();
  recipe_.profile = "twin";
  recipe_.hostname = "twin";
  build_once();
  EXPECT_EQ(progress_.ends["demo-twin/rootfs"], "made");
  EXPECT_EQ(progress_.ends["demo-twin/boot files"], "known");
}

TEST_F(Unchanged, WhatAnotherProfileMadeStartsNoSandboxInFurtherBuilds) {
  build_once();
  recipe_.profile = "twin";
  build_once();
  EXPECT_EQ(progress_.ends["demo-twin/rootfs"], "known");
  build_once();
  EXPECT_EQ(script_.count("start"), 0);
}

}  // namespace
}  // namespace imgforge::steps
