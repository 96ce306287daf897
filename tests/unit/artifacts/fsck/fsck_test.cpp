// The check of a whole store, its repair and the removal of leftovers: one kind of damage a test.
#include <gmock/gmock.h>

#include <fstream>

#include "artifacts/fsck/leftovers.hpp"
#include "artifacts/fsck/repair.hpp"
#include "artifacts/store/journal.hpp"
#include "artifacts/store/yanks.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using namespace testing_support;

class StoreFsck : public StoreTest {
 protected:
  StoreFsck() {
    publish("one");
    publish("two");
    const FsckReport clean = check();
    EXPECT_TRUE(clean.ok());
    EXPECT_TRUE(clean.findings.empty());
    EXPECT_EQ(clean.releases, 2U);
    EXPECT_EQ(clean.files, 8U);
  }
  FsckOptions options() const {
    FsckOptions options;
    options.signature = toy_check;
    return options;
  }
  FsckReport check() const { return check_store(Store::open(out_), options()); }
  /// Expects exactly one finding, at `path` below the store.
  void expect_one(Damage damage, const std::string& path, const std::string& says) const {
    const FsckReport report = check();
    ASSERT_THAT(report.findings, SizeIs(1)) << (report.findings.empty() ? "" : report.findings[1].detail);
    const Finding& finding = report.findings.front();
    EXPECT_EQ(damage_name(finding.damage), damage_name(damage)) << finding.detail;
    EXPECT_EQ(finding.path.lexically_relative(out_).native(), path);
    EXPECT_THAT(finding.detail, HasSubstr(says));
    EXPECT_EQ(report.ok(), is_note(damage));
  }
  RepairResult mend(bool apply, std::map<std::string, std::string> heads = {}) const {
    RepairOptions options_{options(), nullptr, std::move(heads), apply, {}};
    return repair(Store::open(out_), options_);
  }
  /// A dry run says what would be done and changes nothing; the real one leaves a store without findings.
  void expect_mended(std::map<std::string, std::string> heads = {}) const {
    const std::string before = listing();
    EXPECT_TRUE(mend(false, heads).ok());
    EXPECT_EQ(listing(), before);
    const RepairResult done = mend(true, heads);
    for (const RepairStep& step : done.steps) EXPECT_TRUE(step.done) << step.what;
    EXPECT_TRUE(check().findings.empty());
    EXPECT_EQ(read_journal(out_).entries.back().command, "repair");
    EXPECT_TRUE(staging_is_empty());
  }
  void expect_not_mended(const std::string& why) const {
    const std::string before = listing();
    const RepairResult result = mend(true);
    EXPECT_FALSE(result.ok());
    EXPECT_THAT(result.steps.front().what, HasSubstr(why));
    EXPECT_EQ(listing(), before);
  }
  void damage(const fs::path& file, std::string_view text) {
    fs::permissions(file, fs::perms::owner_all);
    std::fstream(file, std::ios::in | std::ios::out) << text;
  }
  fs::path line_ = out_ / "releases/hello-minimal";
  fs::path old_ = line_ / "v20261120";
  fs::path iso_ = old_ / "hello-minimal-v20261120.iso";
};

TEST_F(StoreFsck, AFlippedByte) {
  damage(iso_, "X");
  expect_one(Damage::kFile, "releases/hello-minimal/v20261120/hello-minimal-v20261120.iso", "sha256 is");
  expect_not_mended("build it anew");
}

TEST_F(StoreFsck, AFlippedByteInTheArchive) {
  damage(iso_, "X");
  fs::create_directories(out_ / "archive/202611");
  fs::rename(old_, out_ / "archive/202611/hello-minimal-v20261120");
  for (const char* flat : {"images/hello-minimal-v20261120.qcow2", "isos/hello-minimal-v20261120.iso"})
    fs::remove(out_ / flat);
  expect_one(Damage::kFile, "archive/202611/hello-minimal-v20261120/hello-minimal-v20261120.iso",
             "sha256 is");
}

TEST_F(StoreFsck, ALostFileComesBackFromABlob) {
  BlobStore blobs(folder_ / "blobs");
  blobs.put(core::read_text_file(iso_));
  fs::remove(iso_);
  const FsckReport report = check();
  ASSERT_THAT(report.findings, SizeIs(2));  // the file, and the flat name that leads to it
  RepairOptions options_{options(), &blobs, {}, false, {}};
  EXPECT_TRUE(repair(Store::open(out_), options_).ok());
  EXPECT_FALSE(fs::exists(iso_));
  options_.apply = true;
  EXPECT_TRUE(repair(Store::open(out_), options_).ok());
  EXPECT_TRUE(check().findings.empty());
  EXPECT_EQ(fs::status(iso_).permissions(), static_cast<fs::perms>(0444));
}

TEST_F(StoreFsck, ALostDocument) {
  fs::remove(old_ / "sbom.spdx.json");
  expect_one(Damage::kFile, "releases/hello-minimal/v20261120/sbom.spdx.json", "missing");
}

TEST_F(StoreFsck, AChangedManifestIsNoProof) {
  damage(old_ / "manifest.json", "{ ");
  const FsckReport report = check();
  ASSERT_FALSE(report.findings.empty());
  for (const Finding& finding : report.findings) EXPECT_EQ(finding.version, "v20261120");
  EXPECT_FALSE(report.ok());
  expect_not_mended("");
}

TEST_F(StoreFsck, AMissingSignature) {
  fs::remove(old_ / "manifest.json.minisig");
  expect_one(Damage::kSignature, "releases/hello-minimal/v20261120/manifest.json", "missing");
  expect_not_mended("build it anew");
}

TEST_F(StoreFsck, LostSumsAreWrittenAgain) {
  const std::string sums = core::read_text_file(old_ / "SHA256SUMS");
  fs::remove(old_ / "SHA256SUMS");
  expect_one(Damage::kSums, "releases/hello-minimal/v20261120/SHA256SUMS", "missing");
  expect_mended();
  EXPECT_EQ(core::read_text_file(old_ / "SHA256SUMS"), sums);
}

TEST_F(StoreFsck, ALyingLinkInARelease) {
  fs::remove(old_ / "hello-minimal.iso");
  fs::create_symlink("manifest.json", old_ / "hello-minimal.iso");
  expect_one(Damage::kPlainLink, "releases/hello-minimal/v20261120/hello-minimal.iso", "elsewhere");
  expect_mended();
}

TEST_F(StoreFsck, AMissingLinkInARelease) {
  fs::remove(old_ / "hello-minimal.iso");
  expect_one(Damage::kPlainLink, "releases/hello-minimal/v20261120/hello-minimal.iso", "missing");
  expect_mended();
}

TEST_F(StoreFsck, LostAndDanglingFlatNames) {
  fs::remove(out_ / "isos/hello-minimal.iso");
  expect_one(Damage::kFlatLink, "isos/hello-minimal.iso", "missing");
  expect_mended();
  fs::create_symlink("../releases/gone/v1/gone-v1.iso", out_ / "isos/gone-v1.iso");
  expect_one(Damage::kFlatLink, "isos/gone-v1.iso", "which is missing");
  expect_mended();
  EXPECT_FALSE(fs::is_symlink(out_ / "isos/gone-v1.iso"));
}

TEST_F(StoreFsck, AMissingCurrentIsNotGuessed) {
  fs::remove(line_ / "current");
  const RepairResult asked = mend(true);
  EXPECT_FALSE(asked.ok());
  ASSERT_THAT(asked.steps, SizeIs(3));  // two flat names wait for it
  EXPECT_THAT(asked.steps.back().what, HasSubstr("--head hello-minimal@v20261120.1"));
  EXPECT_FALSE(fs::is_symlink(line_ / "current"));
  EXPECT_TRUE(fs::is_symlink(out_ / "isos/hello-minimal.iso"));
  expect_mended({{"hello-minimal", "v20261120"}});
  EXPECT_EQ(fs::read_symlink(line_ / "current"), "v20261120");
}

TEST_F(StoreFsck, ACurrentThatIsAFolderIsSomebodys) {
  fs::remove(line_ / "current");
  fs::create_directory(line_ / "current");
  const std::string before = listing();
  const RepairResult result = mend(true, {{"hello-minimal", "v20261120"}});
  EXPECT_FALSE(result.ok());
  EXPECT_TRUE(fs::is_directory(fs::symlink_status(line_ / "current")));
}

TEST_F(StoreFsck, ForeignFilesAreNotedAndKept) {
  for (const char* name : {"notes.txt", "images/mine.qcow2", "releases/hello-minimal/readme",
                           "releases/hello-minimal/v20261120/extra"}) {
    std::ofstream(out_ / name) << "mine";
    expect_one(Damage::kForeign, name, "");
    EXPECT_TRUE(mend(true).steps.empty());
    clean(Store::open(out_), {});
    EXPECT_EQ(core::read_text_file(out_ / name), "mine");
    fs::remove(out_ / name);
  }
}

TEST_F(StoreFsck, AReleaseUnderAnotherName) {
  fs::copy(old_, line_ / "v20261121", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const FsckReport report = check();
  EXPECT_FALSE(report.ok());
  EXPECT_THAT(report.findings.front().detail, HasSubstr("holds"));
}

TEST_F(StoreFsck, AMarkOfAWithdrawnReleaseThatIsNotThereOrDamaged) {
  yank(Store::open(out_), "hello-minimal", {"20261120", 0}, "bad");
  EXPECT_TRUE(check().findings.empty());
  const fs::path mark = out_ / ".yanked/hello-minimal@v20261120";
  fs::rename(mark, out_ / ".yanked/hello-minimal@v20200101");
  expect_one(Damage::kPin, ".yanked/hello-minimal@v20200101", "not there");
  expect_not_mended("imgforge unyank");
  fs::rename(out_ / ".yanked/hello-minimal@v20200101", mark);
  write(mark, "{");
  expect_one(Damage::kPin, ".yanked/hello-minimal@v20261120", "");
}

TEST_F(StoreFsck, APinWithoutRelease) {
  Store::open(out_).pin("hello-minimal", {"20261120", 0}, "");
  fs::rename(out_ / ".pins/hello-minimal@v20261120", out_ / ".pins/hello-minimal@v20200101");
  expect_one(Damage::kPin, ".pins/hello-minimal@v20200101", "not there");
}

TEST_F(StoreFsck, LeftoversOfDeadRunsOnlyAreRemoved) {
  const std::string dead = "4194000";  // above the usual pid_max of 4194304 minus a few, hardly ever in use
  const std::string mine = std::to_string(::getpid());
  fs::create_directories(out_ / ".staging" / ("publish." + dead + ".0123456789ab/release"));
  fs::create_directories(out_ / ".staging" / ("publish." + mine + ".0123456789ab"));
  fs::create_directory(out_ / ".staging/somebodys");
  fs::create_symlink("v20261120", line_ / (".current." + dead + ".01234567"));
  fs::create_directory(out_ / "hello-build-20240101");
  const FsckReport report = check();
  EXPECT_TRUE(report.ok());
  EXPECT_THAT(report.findings, SizeIs(5));
  const std::string before = listing();
  CleanOptions options_;
  options_.dry_run = true;
  EXPECT_THAT(clean(Store::open(out_), options_).removed, SizeIs(2));
  EXPECT_EQ(listing(), before);
  EXPECT_THAT(clean(Store::open(out_), {}).removed, SizeIs(2));
  EXPECT_TRUE(fs::exists(out_ / ".staging" / ("publish." + mine + ".0123456789ab")));
  EXPECT_TRUE(fs::exists(out_ / ".staging/somebodys"));
  EXPECT_TRUE(fs::exists(out_ / "hello-build-20240101"));
  CleanOptions earlier;
  earlier.earlier_tools = true;
  EXPECT_THAT(clean(Store::open(out_), earlier).removed, SizeIs(1));
  EXPECT_THAT(clean(Store::open(out_), {}).removed, SizeIs(0));
}

TEST_F(StoreFsck, OnlyThoroughSeesWrongSha512) {
  // A signed manifest whose sha512 of a document is wrong: nothing but sha512 itself can tell.
  std::string text = core::read_text_file(old_ / "manifest.json");
  const std::size_t at = text.find("\"sha512\": \"") + 11;
  text[at] = text[at] == 'a' ? 'b' : 'a';
  damage(old_ / "manifest.json", text);
  write(old_ / "manifest.json.minisig", toy_signature(text));
  const std::string sums = print_sums(parse_manifest(text), sha256_of(text));
  write(old_ / "SHA256SUMS", sums);
  write(old_ / "SHA256SUMS.minisig", toy_signature(sums));
  EXPECT_TRUE(check().ok());
  FsckOptions thorough = options();
  thorough.digests = Digests::kBoth;
  const FsckReport report = check_store(Store::open(out_), thorough);
  ASSERT_THAT(report.findings, SizeIs(1));
  EXPECT_THAT(report.findings.front().detail, HasSubstr("sha512"));
}

}  // namespace
}  // namespace imgforge::artifacts
