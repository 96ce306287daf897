// Releases that were changed after signing: every change has to show as a failed row that names the file.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
using testing::HasSubstr;
using namespace testing_support;

class Verify : public StoreTest {
 protected:
  void SetUp() override {
    directory_ = publish("one").directory;
    ASSERT_TRUE(verify_release(directory_, strict_options()).ok());
  }
  /// The failed row about a subject, if there is one.
  static const CheckRow* failure(const VerifyReport& report, const std::string& subject) {
    const auto row = std::find_if(report.rows.begin(), report.rows.end(),
                                  [&](const CheckRow& r) { return !r.ok && r.subject == subject; });
    return row == report.rows.end() ? nullptr : &*row;
  }
  void expect_failure(const std::string& subject, const std::string& check, const std::string& says = "") {
    SCOPED_TRACE(subject + " " + check);
    const VerifyReport report = verify_release(directory_, strict_options());
    EXPECT_FALSE(report.ok());
    const CheckRow* row = failure(report, subject);
    ASSERT_NE(row, nullptr);
    EXPECT_EQ(row->check, check);
    EXPECT_THAT(row->detail, HasSubstr(says));
    EXPECT_TRUE(row->kind);
  }
  fs::path directory_;
  const std::string image_ = "hello-minimal-v20261120.qcow2";
};

TEST_F(Verify, AFlippedByteAnywhereIsSeen) {
  for (const char* name : {"hello-minimal-v20261120.qcow2", "hello-minimal-v20261120.iso", "manifest.json",
                           "manifest.json.minisig", "SHA256SUMS", "SHA256SUMS.minisig", "sbom.spdx.json"}) {
    const std::string good = core::read_text_file(directory_ / name);
    const std::size_t step = std::max<std::size_t>(1, good.size() / 12);
    for (std::size_t at = 0; at < good.size(); at += step) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 1);
      write(directory_ / name, bad);
      const VerifyReport report = verify_release(directory_, strict_options());
      EXPECT_FALSE(report.ok()) << name << " byte " << at;
      // Signature files are reported under the file that they sign.
      const std::string subject = std::string(name).substr(0, std::string_view(name).find(".minisig"));
      EXPECT_NE(failure(report, subject), nullptr) << name << " byte " << at;
    }
    write(directory_ / name, good);
  }
  EXPECT_TRUE(verify_release(directory_, strict_options()).ok());
}

TEST_F(Verify, AFileUnderTheNameOfAnother) {
  const auto verified = [&](const std::string& name) {
    const fs::path link = folder_ / name;
    fs::create_symlink(directory_ / image_, link);
    const VerifyReport report = verify_file(link, strict_options());
    const CheckRow* row = failure(report, name);
    EXPECT_EQ(row == nullptr, report.ok()) << name;
    if (row != nullptr) {
      EXPECT_THAT(row->detail, HasSubstr("leads to " + image_));
    }
    return report.ok();
  };
  EXPECT_TRUE(verified(image_));
  EXPECT_TRUE(verified("hello-minimal.qcow2"));
  EXPECT_TRUE(verified("disk.img")) << "a name of somebody's own";
  EXPECT_FALSE(verified("hello.qcow2"));
  EXPECT_FALSE(verified("hello-minimal-v20261121.qcow2"));
  EXPECT_FALSE(verified("other-minimal.qcow2"));
}

TEST_F(Verify, ALineThatLeadsToAnother) {
  const fs::path other = out_ / "releases/other";
  fs::create_directory(other);
  fs::create_directory_symlink(directory_, other / "current");
  const VerifyReport report = verify_release(other / "current", strict_options());
  EXPECT_FALSE(report.ok());
  const CheckRow* row = failure(report, (other / "current").native());
  ASSERT_NE(row, nullptr);
  EXPECT_THAT(row->detail, HasSubstr("another line"));
  EXPECT_TRUE(verify_release(out_ / "releases/hello-minimal/current", strict_options()).ok());
  EXPECT_TRUE(verify_release(out_ / "releases/hello-minimal/current/", strict_options()).ok());
}

TEST_F(Verify, ChangedFiles) {
  const std::string good = core::read_text_file(directory_ / image_);
  write(directory_ / image_, good + "x");
  expect_failure(image_, "digest", "the manifest says");
  fs::remove(directory_ / image_);
  expect_failure(image_, "digest", "missing");
  write(folder_ / "good copy", good);
  fs::create_symlink(folder_ / "good copy", directory_ / image_);
  expect_failure(image_, "digest", "not a regular file");
  fs::remove(directory_ / image_);
  fs::create_directory(directory_ / image_);
  expect_failure(image_, "digest", "not a regular file");
  fs::remove(directory_ / image_);
  ASSERT_EQ(::mkfifo((directory_ / image_).c_str(), 0600), 0);
  expect_failure(image_, "digest", "not a regular file");
  fs::remove(directory_ / image_);
  write(directory_ / image_, good);
  fs::create_hard_link(directory_ / image_, folder_ / "second name");
  const VerifyReport report = verify_release(directory_, strict_options());
  EXPECT_TRUE(report.ok());
  EXPECT_TRUE(std::any_of(report.rows.begin(), report.rows.end(), [](const CheckRow& row) {
    return row.detail.find("further hard links") != std::string::npos;
  }));
}

TEST_F(Verify, AllRowsAreReported) {
  fs::remove(directory_ / image_);
  write(directory_ / "SHA256SUMS", "nonsense");
  write(directory_ / "extra", "x");
  const VerifyReport report = verify_release(directory_, strict_options());
  EXPECT_NE(failure(report, image_), nullptr);
  EXPECT_NE(failure(report, "SHA256SUMS"), nullptr);
  EXPECT_NE(failure(report, "extra"), nullptr);
  EXPECT_TRUE(report.manifest) << "its own signature is good";
}

TEST_F(Verify, ExtraFilesAreNotedOrRefused) {
  write(directory_ / "extra\x1b", "x");
  expect_failure("extra\\x1b", "extra", "not in the manifest");
  VerifyOptions options = strict_options();
  options.extras = Extras::kNote;
  EXPECT_TRUE(verify_release(directory_, options).ok());
  fs::remove(directory_ / "extra\x1b");
  // The unversioned link is not signed, so where it leads is checked in both modes.
  fs::remove(directory_ / "hello-minimal.qcow2");
  fs::create_symlink("hello-minimal-v20261120.iso", directory_ / "hello-minimal.qcow2");
  EXPECT_FALSE(verify_release(directory_, options).ok());
}

TEST_F(Verify, SignaturesAreNeeded) {
  fs::remove(directory_ / "manifest.json.minisig");
  expect_failure("manifest.json", "signature", "missing");
  EXPECT_FALSE(verify_release(directory_, strict_options()).manifest);
  ASSERT_EQ(::mkfifo((directory_ / "manifest.json.minisig").c_str(), 0600), 0);
  expect_failure("manifest.json", "signature", "not a regular file");
  fs::remove(directory_ / "manifest.json.minisig");
  write(directory_ / "manifest.json.minisig", std::string(1 << 20, 'x'));
  expect_failure("manifest.json", "signature", "larger than");
  VerifyOptions untrusting = strict_options();
  untrusting.signature = nullptr;
  EXPECT_FALSE(verify_release(directory_, untrusting).ok());
}

TEST_F(Verify, ManifestsThatAreNoFilesOrHuge) {
  fs::remove(directory_ / "manifest.json");
  expect_failure("manifest.json", "file", "missing");
  ASSERT_EQ(::mkfifo((directory_ / "manifest.json").c_str(), 0600), 0);
  expect_failure("manifest.json", "file", "not a regular file");
  fs::remove(directory_ / "manifest.json");
  write(directory_ / "manifest.json", "");
  fs::resize_file(directory_ / "manifest.json", 1ULL << 32);
  expect_failure("manifest.json", "file", "larger than");
}

TEST_F(Verify, AnUnknownMemberIsRefusedEvenWhenSigned) {
  std::string text = core::read_text_file(directory_ / "manifest.json");
  text.replace(text.find("\"name\""), 6, "\"extra\": 1,\n  \"name\"");
  write(directory_ / "manifest.json", text);
  write(directory_ / "manifest.json.minisig", toy_signature(text));
  expect_failure("manifest.json", "manifest", "extra is not known");
  EXPECT_FALSE(verify_release(directory_, strict_options()).manifest);
}

TEST_F(Verify, AnOlderReleaseUnderANewNameIsSeen) {
  const fs::path newer = publish("two").directory;
  fs::remove_all(newer);
  fs::copy(directory_, newer, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const VerifyReport report = verify_release(newer, strict_options());
  EXPECT_FALSE(report.ok());
  EXPECT_NE(failure(report, newer.native()), nullptr);
  // Only its signature and manifest beside other artifacts.
  const fs::path third = publish("three").directory;
  fs::copy_file(directory_ / "manifest.json.minisig", third / "manifest.json.minisig",
                fs::copy_options::overwrite_existing);
  const VerifyReport mixed = verify_release(third, strict_options());
  EXPECT_NE(failure(mixed, "manifest.json"), nullptr);
  EXPECT_FALSE(mixed.manifest);
}

TEST_F(Verify, ACopyElsewhereIsFine) {
  fs::copy(directory_, folder_ / "copy", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  EXPECT_TRUE(verify_release(folder_ / "copy", strict_options()).ok());
  EXPECT_FALSE(verify_release(folder_ / "nowhere", strict_options()).ok());
  EXPECT_FALSE(verify_release(folder_ / "image.iso", strict_options()).ok());
}

TEST_F(Verify, SingleFilesThroughEveryName) {
  for (const fs::path& path : {directory_ / image_, directory_ / "hello-minimal.qcow2",
                               out_ / "images/hello-minimal.qcow2", out_ / "images" / image_}) {
    const VerifyReport report = verify_file(path, strict_options());
    EXPECT_TRUE(report.ok()) << path;
    EXPECT_EQ(report.manifest->signer(), "toy key");
  }
  fs::create_directory(folder_ / "download");
  fs::copy_file(directory_ / image_, folder_ / "download" / image_);
  EXPECT_FALSE(verify_file(folder_ / "download" / image_, strict_options()).ok());
  EXPECT_TRUE(
      verify_file(folder_ / "download" / image_, strict_options(), directory_ / "manifest.json").ok());
  write(folder_ / "download" / "other.qcow2", "x");
  const VerifyReport other =
      verify_file(folder_ / "download/other.qcow2", strict_options(), directory_ / "manifest.json");
  ASSERT_NE(failure(other, "other.qcow2"), nullptr);
  EXPECT_THAT(failure(other, "other.qcow2")->detail, HasSubstr("not in the manifest"));
  EXPECT_FALSE(verify_file(folder_ / "download/none", strict_options()).ok());
  // Other damage in the release does not concern this file.
  fs::remove(directory_ / "hello-minimal-v20261120.iso");
  EXPECT_TRUE(verify_file(out_ / "images/hello-minimal.qcow2", strict_options()).ok());
  std::string bad = core::read_text_file(directory_ / image_);
  bad[1000] = 'X';
  write(directory_ / image_, bad);
  EXPECT_FALSE(verify_file(out_ / "images/hello-minimal.qcow2", strict_options()).ok());
}

TEST_F(Verify, FormatsAreLookedInto) {
  VerifyOptions options = strict_options();
  options.format = [](const fs::path& file, const ManifestArtifact& artifact) -> std::string {
    if (artifact.format == "iso") throw Error(Kind::kImage, "bad iso " + file.filename().native());
    return "fine";
  };
  const VerifyReport report = verify_release(directory_, options);
  const CheckRow* row = failure(report, "hello-minimal-v20261120.iso");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->check, "format");
  EXPECT_EQ(row->kind, Kind::kImage);
}

}  // namespace
}  // namespace imgforge::artifacts
