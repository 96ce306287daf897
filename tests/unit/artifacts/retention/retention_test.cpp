// Which releases a policy keeps: the pure function, then prune and archive on real stores.
#include <gmock/gmock.h>
#include <sys/file.h>

#include "artifacts/blobs/blob_collector.hpp"
#include "artifacts/blobs/blob_store.hpp"
#include "artifacts/fsck/fsck.hpp"
#include "artifacts/retention/archive.hpp"
#include "artifacts/retention/backup.hpp"
#include "artifacts/retention/prune.hpp"
#include "artifacts/store/clones.hpp"
#include "artifacts/store/yanks.hpp"
#include "core/random.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using namespace testing_support;
using core::Error;
using core::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

RetentionItem item(const char* time, std::vector<std::string> protections = {}) {
  return {parse_iso_time(time), std::move(protections)};
}
std::string kept(const RetentionPolicy& policy, const std::vector<RetentionItem>& items) {
  std::string text;
  for (const auto& reasons : apply_policy(policy, items)) text += reasons.empty() ? '-' : 'k';
  return text;
}

const std::vector<RetentionItem> kItems{item("2026-03-02T10:00:00Z"), item("2026-03-02T09:00:00Z"),
                                        item("2026-03-01T23:59:59Z"), item("2026-02-28T00:00:00Z"),
                                        item("2026-02-01T00:00:00Z"), item("2025-12-31T00:00:00Z")};

TEST(Retention, RulesKeepTheNewestOfEachPeriod) {
  EXPECT_EQ(kept({.last = 2}, kItems), "kk----");
  EXPECT_EQ(kept({.daily = 3}, kItems), "k-kk--");
  // 2026-03-02 is a Monday: the day before belongs to another week.
  EXPECT_EQ(kept({.weekly = 2}, kItems), "k-k---");
  EXPECT_EQ(kept({.monthly = 3}, kItems), "k--k-k");
  EXPECT_EQ(kept({.last = 1, .monthly = 2}, kItems), "k--k--");
  EXPECT_EQ(kept({.tagged = true}, kItems), "------");
  EXPECT_EQ(kept({.within = parse_age("3d"), .now = *parse_iso_time("2026-03-03T00:00:00Z")}, kItems),
            "kkk---");
}

TEST(Retention, ProtectedAndUndatedOnesStay) {
  EXPECT_EQ(kept({.tagged = true},
                 {item("2026-03-02T10:00:00Z"), item("2026-03-01T10:00:00Z", {"pinned"}), RetentionItem{}}),
            "-kk");
}

TEST(Retention, AClockThatWentBackMakesNothingOlder) {
  EXPECT_EQ(kept({.within = parse_age("30d"), .now = *parse_iso_time("2020-01-01T00:00:00Z")}, kItems),
            "kkkkkk");
}

TEST(Retention, NothingIsGuessed) {
  for (const RetentionPolicy& policy :
       {RetentionPolicy{}, RetentionPolicy{.last = 0}, RetentionPolicy{.last = 1, .weekly = 0}})
    EXPECT_THROW(check_policy(policy), Error);
  for (const char* text : {"", "d", "0d", "-1d", "3", "3x", "30dd", "99999999d"})
    EXPECT_THROW(parse_age(text), Error) << text;
  EXPECT_EQ(parse_age("2w").count(), 14 * 86400);
  for (const char* text :
       {"", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-02-01T24:00:00Z", "2026-02-01"})
    EXPECT_FALSE(parse_iso_time(text)) << text;
}

class RetentionStore : public StoreTest {
 protected:
  void SetUp() override {
    for (int day = 15; day <= 20; ++day)
      publish("day " + std::to_string(day), "202611" + std::to_string(day));
  }
  Store store() const { return Store::open(out_); }
  std::vector<std::string> versions() const {
    std::vector<std::string> names;
    for (const Version& version : store().versions("hello-minimal")) names.push_back(version.to_string());
    return names;
  }
  PruneResult prune_to(unsigned last, bool apply) {
    PruneOptions options;
    options.policy.last = last;
    options.apply = apply;
    return prune(store(), options);
  }
  void archive_all_but(unsigned last, Packing packing = Packing::kZstd) {
    ArchiveOptions options;
    options.policy.last = last;
    options.packing = packing;
    for (const ArchivedRelease& row : archive(store(), options).releases) EXPECT_EQ(row.problem, "");
  }
  void expect_sound() {
    FsckOptions options;
    options.signature = toy_check;
    for (const Finding& finding : check_store(store(), options).findings)
      ADD_FAILURE() << finding.path << ": " << finding.detail;
  }
  static std::vector<std::string> going(const PruneResult& result) {
    std::vector<std::string> names;
    for (const PlannedRelease& row : result.releases)
      if (row.goes()) names.push_back(row.release.version);
    return names;
  }
  void clone(const std::string& version, const std::string& name) {
    CloneRequest request;
    request.line = "hello-minimal";
    request.version = version;
    request.name = name;
    request.make_overlay = [&](const fs::path& target, const std::string& backing, const std::string&) {
      write(target, "overlay");
      backing_ = fs::canonical(target.parent_path() / backing);
    };
    request.change.signature = toy_check;
    make_clone(store(), request);
  }
  fs::path backing_;
};

TEST_F(RetentionStore, PruneRemovesWhatTheDryRunSaid) {
  store().promote("hello-minimal", {"20261116", 0}, trusting());
  store().pin("hello-minimal", {"20261115", 0}, "");
  clone("v20261117", "trial");
  fs::remove(release("v20261118") / "manifest.json");
  write(release("v20261119") / "notes.txt", "mine");
  publish("day 14", "20261114");
  store().promote("hello-minimal", {"20261116", 0}, trusting());
  const std::string before = listing();
  const PruneResult dry = prune_to(1, false);
  EXPECT_EQ(listing(), before);
  EXPECT_THAT(going(dry), ElementsAre("v20261114"));
  const core::Fd reader = core::open_regular(release("v20261114") / "manifest.json");
  ::flock(reader.get(), LOCK_SH);
  EXPECT_THAT(going(prune_to(1, true)), IsEmpty()) << "a release that is read stays";
  ::flock(reader.get(), LOCK_UN);
  EXPECT_THAT(going(prune_to(1, true)), ElementsAre("v20261114"));
  EXPECT_EQ(versions().size(), 6U);
  EXPECT_FALSE(fs::is_symlink(out_ / "images/hello-minimal-v20261114.qcow2"));
  EXPECT_TRUE(staging_is_empty());
}

TEST_F(RetentionStore, ABrokenCurrentKeepsTheWholeLine) {
  fs::remove(release("current"));
  fs::create_symlink("v20200101", release("current"));
  EXPECT_THAT(going(prune_to(1, true)), IsEmpty());
  EXPECT_EQ(versions().size(), 6U);
}

TEST_F(RetentionStore, ArchiveAndRestoreAreInverse) {
  const std::string before = core::read_text_file(release("v20261117") / "hello-minimal-v20261117.qcow2");
  for (const Packing packing : {Packing::kZstd, Packing::kXz}) {
    archive_all_but(2, packing);
    EXPECT_THAT(versions(), ElementsAre("v20261119", "v20261120"));
    const fs::path archived = out_ / "archive/202611/hello-minimal-v20261117";
    EXPECT_TRUE(
        fs::exists(archived / ("hello-minimal-v20261117.qcow2" + std::string(packing_suffix(packing)))));
    EXPECT_TRUE(verify_release(archived, strict_options()).ok());
    expect_sound();
    archive_all_but(2, packing);
    EXPECT_EQ(read_inventory(store()).releases().size(), 6U);
    for (const char* version : {"v20261115", "v20261116", "v20261117", "v20261118"}) {
      RestoreOptions options;
      options.signature = toy_check;
      EXPECT_TRUE(restore(store(), std::string("hello-minimal@") + version, options).changed);
      EXPECT_FALSE(restore(store(), std::string("hello-minimal@") + version, options).changed);
    }
    EXPECT_EQ(core::read_text_file(release("v20261117") / "hello-minimal-v20261117.qcow2"), before);
    EXPECT_FALSE(fs::exists(archived.parent_path()));
    expect_sound();
  }
}

TEST_F(RetentionStore, ADamagedReleaseIsNotArchivedAndADamagedArchiveNotRestored) {
  const fs::path image = release("v20261117") / "hello-minimal-v20261117.iso";
  write(image, std::string(fs::file_size(image), 'x'));
  ArchiveOptions options;
  options.policy.last = 3;
  std::string problem;
  for (const ArchivedRelease& row : archive(store(), options).releases) problem += row.problem;
  EXPECT_NE(problem.find("sha256 is"), std::string::npos) << problem;
  EXPECT_THAT(versions(), ElementsAre("v20261117", "v20261118", "v20261119", "v20261120"));
  const fs::path packed = out_ / "archive/202611/hello-minimal-v20261116/hello-minimal-v20261116.iso.zst";
  std::string bytes = core::read_text_file(packed);
  bytes[bytes.size() / 2] ^= 0x20;
  write(packed, bytes);
  EXPECT_FALSE(verify_release(packed.parent_path(), strict_options()).ok());
  const std::string before = listing();
  EXPECT_THROW(restore(store(), "hello-minimal@v20261116", {.signature = toy_check}), Error);
  EXPECT_EQ(listing(), before);
}

TEST_F(RetentionStore, WhatDoesNotShrinkIsKeptAsItIs) {
  write(folder_ / "random.iso", core::random_hex(8));
  std::string noise(100000, '\0');
  core::random_bytes({reinterpret_cast<std::uint8_t*>(noise.data()), noise.size()});
  PublishRequest request = request_for(folder_.path(), "noise", "20261121");
  write(folder_ / "image.iso", noise);
  store().publish(request);
  store().promote("hello-minimal", {"20261120", 0}, trusting());
  ArchiveOptions options;
  options.releases = {"hello-minimal@v20261121"};
  EXPECT_TRUE(archive(store(), options).releases.front().planned.done);
  const fs::path archived = out_ / "archive/202611/hello-minimal-v20261121";
  EXPECT_TRUE(fs::exists(archived / "hello-minimal-v20261121.iso"));
  EXPECT_TRUE(fs::exists(archived / "hello-minimal-v20261121.qcow2.zst"));
  expect_sound();
}

TEST_F(RetentionStore, ClonesProtectTheirRelease) {
  clone("v20261116", "trial");
  EXPECT_THAT(read_clones(out_).front().version, "v20261116");
  EXPECT_EQ(backing_, fs::canonical(release("v20261116") / "hello-minimal-v20261116.qcow2"));
  archive_all_but(1);
  EXPECT_THAT(versions(), ElementsAre("v20261116", "v20261120"));
  EXPECT_THROW(remove_releases(store(), {"hello-minimal@v20261116"}, true), Error);
  remove_clone(store(), "trial");
  EXPECT_FALSE(fs::exists(out_ / "clones/trial"));
  EXPECT_THAT(going(remove_releases(store(), {"hello-minimal@v20261116"}, true)), ElementsAre("v20261116"));
  EXPECT_THROW(remove_releases(store(), {"hello-minimal@v20261120"}, true), Error);
}

TEST_F(RetentionStore, ABackupIsAStoreAndIsMended) {
  archive_all_but(3);
  const fs::path target = folder_ / "backup";
  EXPECT_EQ(backup(store(), target, {}).releases.size(), 6U);
  EXPECT_TRUE(verify_release(target / "releases/hello-minimal/current", strict_options()).ok());
  FsckOptions options;
  options.signature = toy_check;
  EXPECT_TRUE(check_store(Store::open(target), options).ok());
  write(target / "releases/hello-minimal/v20261119/hello-minimal-v20261119.iso", "broken");
  int replaced = 0;
  for (const BackedUpRelease& row : backup(store(), target, {}).releases) {
    EXPECT_TRUE(row.outcome == BackupOutcome::kThere || row.outcome == BackupOutcome::kReplaced)
        << row.problem;
    replaced += row.outcome == BackupOutcome::kReplaced;
  }
  EXPECT_EQ(replaced, 1);
  EXPECT_TRUE(check_store(Store::open(target), options).ok());
  EXPECT_THROW(backup(store(), out_, {}), Error);
  EXPECT_THROW(backup(store(), out_ / "inside", {}), Error);
}

TEST_F(RetentionStore, ABackupHasPinsMarksAndTheCatalogue) {
  store().pin("hello-minimal", {"20261119", 0}, "");
  yank(store(), "hello-minimal", {"20261118", 0}, "bad");
  fs::create_directory(out_ / "tuf");
  write(out_ / "tuf/root.json", "{}");
  write(out_ / "tuf/timestamp.json", "{}");
  fs::create_symlink("/etc/passwd", out_ / "tuf/link.json");
  const fs::path target = folder_ / "backup";
  backup(store(), target, {});
  EXPECT_TRUE(fs::exists(target / ".pins/hello-minimal@v20261119"));
  EXPECT_THROW(refuse_yanked(target, "hello-minimal@v20261118"), Error);
  EXPECT_TRUE(fs::exists(target / "tuf/root.json"));
  EXPECT_TRUE(fs::exists(target / "tuf/timestamp.json"));
  EXPECT_FALSE(fs::exists(fs::symlink_status(target / "tuf/link.json")));
}

TEST(BlobCollector, KeepsWhatIsNeededAndWaitsForNobody) {
  const core::TempDir folder(fs::temp_directory_path(), "imgforge-gc");
  const fs::path root = folder / "blobs";
  std::string needed;
  {
    BlobStore blobs(root);
    needed = blobs.put("needed").digest().hex();
    blobs.put("not needed");
    try {
      lock_blobs_alone(root);
      ADD_FAILURE() << "a build runs";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::kLocked);
    }
  }
  write(root / "staging/put.0123", "half");
  write(root / "sha256/notes.txt", "mine");
  const core::Fd lock = lock_blobs_alone(root);
  CollectorOptions options;
  add_digests("{\"sha256\": \"" + needed + "\"}", options.needed);
  EXPECT_EQ(collect_blobs(root, options).files.size(), 2U);
  options.apply = true;
  EXPECT_EQ(collect_blobs(root, options).files.size(), 2U);
  const CollectorResult rest = collect_blobs(root, options);
  EXPECT_THAT(rest.files, IsEmpty());
  EXPECT_EQ(rest.kept, 1U);
  EXPECT_TRUE(fs::exists(root / "sha256/notes.txt"));
}

}  // namespace
}  // namespace imgforge::artifacts
