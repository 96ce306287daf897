// Who acts on a manifest looks at its signature first: promote, rollback, publish's "identical", clone and
// the flat names that repair makes.
#include <gmock/gmock.h>

#include "artifacts/fsck/fsck.hpp"
#include "artifacts/fsck/repair.hpp"
#include "artifacts/store/clones.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace testing_support;

constexpr const char* kLine = "hello-minimal";
const Version kFirst{"20261120", 0};

class Trust : public StoreTest {
 protected:
  static fs::path signature_of(const fs::path& folder) { return folder / "manifest.json.minisig"; }

  /// The manifest with another kernel command line, as somebody writes it who can write to the store.
  void forge(const fs::path& folder, bool unsigned_now = false) {
    Manifest manifest = parse_manifest(core::read_text_file(folder / kManifestFile));
    manifest.kernel_cmdline = "init=/bin/sh";
    manifest.is_unsigned = unsigned_now;
    write(folder / kManifestFile, print_manifest(manifest));
  }
  PublishResult publish_unsigned(std::string_view content) {
    PublishRequest request = request_for(folder_.path(), content);
    request.signer = {};
    return Store::create(out_).publish(request);
  }
  /// The error of `body`, which changes nothing.
  template <class Body>
  void expect_refused(Kind kind, const std::string& says, Body&& body) {
    const std::string before = listing();
    try {
      body();
      ADD_FAILURE() << "accepted; expected: " << says;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.message();
      EXPECT_THAT(error.message(), HasSubstr(says));
    }
    EXPECT_EQ(listing(), before);
  }
  Turn promote_first() { return Store::open(out_).promote(kLine, kFirst, trusting()); }
  void clone_first() {
    CloneRequest request;
    request.line = kLine;
    request.version = kFirst.to_string();
    request.name = "trial";
    request.change = trusting();
    request.make_overlay = [](const fs::path& target, const std::string&, const std::string&) {
      write(target, "overlay");
    };
    make_clone(Store::open(out_), request);
  }
};

TEST_F(Trust, PromoteRefusesAManifestThatWasChanged) {
  publish("one");
  publish("two");
  forge(release("v20261120"));
  expect_refused(Kind::kSignature, "bad toy signature", [&] { promote_first(); });
  expect_refused(Kind::kSignature, "bad toy signature",
                 [&] { Store::open(out_).rollback(kLine, {}, trusting()); });
  expect_refused(Kind::kSignature, "bad toy signature", [&] { clone_first(); });
}

TEST_F(Trust, VerifyLooksAtNoFileThatNobodyVouchesFor) {
  publish("one");
  const fs::path folder = release("v20261120");
  forge(folder);
  int looked = 0;
  VerifyOptions options;
  options.signature = trusting().signature;
  options.format = [&](const fs::path&, const ManifestArtifact&) {
    ++looked;
    return std::string();
  };
  const VerifyReport report = verify_release(folder, options);
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(looked, 0);
  for (const CheckRow& row : report.rows) EXPECT_NE(row.check, "digest") << row.subject;
}

TEST_F(Trust, PromoteRefusesASignatureThatIsGone) {
  publish("one");
  publish("two");
  fs::remove(signature_of(release("v20261120")));
  expect_refused(Kind::kSignature, "missing", [&] { promote_first(); });
  expect_refused(Kind::kSignature, "missing", [&] { clone_first(); });
}

TEST_F(Trust, WithoutTrustedKeysNoSignedReleaseIsActedUpon) {
  publish("one");
  publish("two");
  expect_refused(Kind::kSignature, "no trusted keys", [&] { Store::open(out_).promote(kLine, kFirst); });
  EXPECT_TRUE(promote_first().changed);
}

TEST_F(Trust, AnUnsignedReleaseCountsOnlyWhereItSaysSoAndHasNoSignature) {
  const PublishResult made = publish_unsigned("one");
  publish("two");
  EXPECT_TRUE(promote_first().changed);
  EXPECT_THAT(parse_manifest(core::read_text_file(made.directory / kManifestFile)).insecure,
              ElementsAre("--unsigned"));
  Store::open(out_).promote(kLine, {"20261120", 1}, trusting());
  write(signature_of(made.directory), "toy of somebody else\n");
  expect_refused(Kind::kSignature, "bad toy signature", [&] { promote_first(); });
  write(signature_of(made.directory), toy_signature(core::read_text_file(made.directory / kManifestFile)));
  expect_refused(Kind::kIntegrity, "signed, but says that it is unsigned", [&] { promote_first(); });
}

TEST_F(Trust, TheSameFilesUnderAForgedManifestAreNoAnswer) {
  const PublishResult made = publish("one");
  forge(made.directory);
  expect_refused(Kind::kSignature, "nobody trusted vouches for its manifest", [&] { publish("one"); });
  EXPECT_TRUE(staging_is_empty());
  EXPECT_EQ(publish("two").version.to_string(), "v20261120.1") << "other files are not concerned";
}

TEST_F(Trust, TheSameFilesSignedByAnotherKeyAreNoAnswer) {
  PublishRequest request = request_for(folder_.path(), "one");
  request.signer = {
      "toy", [](std::string_view, std::string_view, core::UnixTime) { return std::string("another key\n"); }};
  Store::create(out_).publish(request);
  expect_refused(Kind::kSignature, "nobody trusted vouches for its manifest", [&] { publish("one"); });
  PublishRequest trusts_nobody = request_for(folder_.path(), "one");
  trusts_nobody.signature = {};
  expect_refused(Kind::kSignature, "no trusted keys", [&] { Store::create(out_).publish(trusts_nobody); });
  request.signature = [](std::string_view, const Signatures&) { return "another key"; };
  EXPECT_EQ(Store::create(out_).publish(request).outcome, PublishOutcome::kIdentical);
}

TEST_F(Trust, SignedFilesThatBecameUnsignedAreAnotherRelease) {
  const PublishResult made = publish("one");
  forge(made.directory, true);
  fs::remove(signature_of(made.directory));
  EXPECT_EQ(publish("one").version.to_string(), "v20261120.1");
}

TEST_F(Trust, RepairMakesNoFlatNameForAForgedManifest) {
  const PublishResult made = publish("one");
  forge(made.directory);
  fs::remove(out_ / "images" / "hello-minimal-v20261120.qcow2");
  RepairOptions options;
  options.check.signature = toy_check;
  options.apply = true;
  repair(Store::open(out_), options);
  EXPECT_FALSE(fs::exists(fs::symlink_status(out_ / "images" / "hello-minimal-v20261120.qcow2")));
}

TEST_F(Trust, CheckingAStoreTellsWhatWasSwitchedOff) {
  PublishRequest request = request_for(folder_.path(), "one");
  request.finalise = [](Manifest& manifest) {
    std::vector<Document> documents = finalise(manifest);
    manifest.insecure = {"--allow-older-index"};
    return documents;
  };
  const PublishResult made = Store::create(out_).publish(request);
  FsckOptions options;
  options.signature = toy_check;
  FsckReport report = check_store(Store::open(out_), options);
  EXPECT_TRUE(report.ok());
  ASSERT_THAT(report.findings, SizeIs(1));
  EXPECT_EQ(report.findings[0].damage, Damage::kInsecure);
  EXPECT_EQ(report.findings[0].detail, "made with --allow-older-index");
  const VerifyReport verified = verify_release(made.directory, strict_options());
  EXPECT_TRUE(verified.ok());
  EXPECT_THAT(verified.manifest->manifest().insecure, ElementsAre("--allow-older-index"));
  fs::remove(signature_of(made.directory));
  report = check_store(Store::open(out_), options);
  EXPECT_FALSE(report.ok());
  for (const Finding& finding : report.findings) EXPECT_NE(finding.detail, "published unsigned");
}

}  // namespace
}  // namespace imgforge::artifacts
