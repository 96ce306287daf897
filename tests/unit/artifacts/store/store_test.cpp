// Publishing, promoting and what the store refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "core/process.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace testing_support;

class StorePublish : public StoreTest {
 protected:
  template <class Body>
  void expect_error(Kind kind, const std::string& says, Body&& body) {
    const std::string before = fs::exists(out_) ? listing() : "";
    try {
      body();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.message();
      EXPECT_THAT(error.message(), HasSubstr(says));
    }
    if (!before.empty()) {
      EXPECT_EQ(listing(), before);
    }
    EXPECT_TRUE(staging_is_empty());
  }
};

TEST_F(StorePublish, LaysOutARelease) {
  const PublishResult result = publish("one");
  EXPECT_EQ(result.outcome, PublishOutcome::kPublished);
  EXPECT_EQ(result.version.to_string(), "v20261120");
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(result.directory))
    names.insert(entry.path().filename().native());
  EXPECT_THAT(names,
              ElementsAre("SHA256SUMS", "SHA256SUMS.minisig", "boot-disk-bios.log",
                          "hello-minimal-v20261120.iso", "hello-minimal-v20261120.qcow2", "hello-minimal.iso",
                          "hello-minimal.qcow2", "manifest.json", "manifest.json.minisig", "sbom.spdx.json"));
  EXPECT_EQ(fs::read_symlink(out_ / "releases/hello-minimal/current"), "v20261120");
  EXPECT_EQ(fs::read_symlink(out_ / "images/hello-minimal.qcow2"),
            "../releases/hello-minimal/current/hello-minimal.qcow2");
  EXPECT_EQ(fs::read_symlink(out_ / "isos/hello-minimal-v20261120.iso"),
            "../releases/hello-minimal/v20261120/hello-minimal-v20261120.iso");
  EXPECT_EQ(core::digest_of_file(core::HashAlgorithm::kSha256, out_ / "images/hello-minimal.qcow2"),
            core::digest_of_file(core::HashAlgorithm::kSha256, folder_ / "image.qcow2"));
  EXPECT_EQ(core::read_text_file(out_ / ".imgforge-store"), "imgforge-store 1\n");
  EXPECT_TRUE(staging_is_empty());
  const Store store = Store::open(out_);
  EXPECT_THAT(store.lines(), ElementsAre("hello-minimal"));
  EXPECT_EQ(store.current("hello-minimal")->to_string(), "v20261120");
  const VerifyReport report = verify_release(out_ / "releases/hello-minimal/current", strict_options());
  EXPECT_TRUE(report.ok());
}

TEST_F(StorePublish, Sha256sumAcceptsTheSums) {
  const PublishResult result = publish("one");
  core::Command command;
  command.program = "sha256sum";
  command.args = {"-c", "--strict", "SHA256SUMS"};
  command.directory = result.directory;
  const std::string out = core::system_processes().check(command, {}).out;
  EXPECT_THAT(out, HasSubstr("hello-minimal-v20261120.qcow2: OK"));
  EXPECT_THAT(out, HasSubstr("manifest.json: OK"));
}

TEST_F(StorePublish, IdenticalBytesMakeNoNewRelease) {
  publish("one");
  const std::string before = listing();
  const PublishResult again = publish("one");
  EXPECT_EQ(again.outcome, PublishOutcome::kIdentical);
  EXPECT_EQ(again.version.to_string(), "v20261120");
  EXPECT_EQ(listing(), before);
}

TEST_F(StorePublish, OtherBytesOfADayGetARevision) {
  publish("one");
  EXPECT_EQ(publish("two").version.to_string(), "v20261120.1");
  EXPECT_EQ(publish("three").version.to_string(), "v20261120.2");
  EXPECT_EQ(publish("three").outcome, PublishOutcome::kIdentical);
  EXPECT_EQ(publish("three", "20261121").version.to_string(), "v20261121");
  const Store store = Store::open(out_);
  EXPECT_EQ(store.versions("hello-minimal").size(), 4U);
  EXPECT_EQ(store.current("hello-minimal")->to_string(), "v20261121");
  EXPECT_TRUE(verify_release(release("v20261120.1"), strict_options()).ok());
}

TEST_F(StorePublish, RevisionTenComesAfterNine) {
  publish("one");
  fs::create_directory(release("v20261120.9"));
  fs::create_directory(release("v20261120.10"));
  EXPECT_EQ(publish("two").version.to_string(), "v20261120.11");
}

TEST_F(StorePublish, ADamagedReleaseIsNotReusedForItsName) {
  const PublishResult first = publish("one");
  write(first.directory / "hello-minimal-v20261120.iso", "rotten");
  const PublishResult second = publish("one");
  EXPECT_EQ(second.outcome, PublishOutcome::kPublished);
  EXPECT_EQ(second.version.to_string(), "v20261120.1");
}

TEST_F(StorePublish, ArchivedVersionsAreNotUsedAgain) {
  publish("one");
  fs::create_directories(out_ / "archive/202611/hello-minimal-v20261120.1");
  EXPECT_EQ(publish("two").version.to_string(), "v20261120.2");
}

TEST_F(StorePublish, SignedIsNotTheSameAsUnsigned) {
  PublishRequest request = request_for(folder_.path(), "one");
  request.signer = {};
  Store store = Store::create(out_);
  const PublishResult plain = store.publish(request);
  EXPECT_TRUE(plain.manifest.is_unsigned);
  EXPECT_FALSE(fs::exists(plain.directory / "manifest.json.minisig"));
  EXPECT_FALSE(verify_release(plain.directory, strict_options()).ok());
  EXPECT_EQ(publish("one").outcome, PublishOutcome::kPublished);
}

TEST_F(StorePublish, FailuresLeaveTheStoreAsItWas) {
  publish("one");
  Store store = Store::open(out_);
  expect_error(Kind::kSignature, "no key", [&] {
    PublishRequest request = request_for(folder_.path(), "two");
    request.signer = {"", [](std::string_view, std::string_view, core::UnixTime) -> std::string {
                        throw Error(Kind::kSignature, "no key");
                      }};
    store.publish(request);
  });
  expect_error(Kind::kIo, "image.iso", [&] {
    PublishRequest request = request_for(folder_.path(), "two");
    fs::remove(folder_ / "image.iso");
    store.publish(request);
  });
  expect_error(Kind::kIntegrity, "sha256", [&] {
    PublishRequest request = request_for(folder_.path(), "two");
    request.finalise = [](Manifest& manifest) {
      manifest.artifacts[0].sha256 = sha256_of("something else");
      return finalise(manifest);
    };
    store.publish(request);
  });
  expect_error(Kind::kInternal, "plain file name", [&] {
    PublishRequest request = request_for(folder_.path(), "two");
    request.finalise = [](Manifest& manifest) {
      std::vector<Document> documents = finalise(manifest);
      documents.push_back({"../../escape", "x"});
      return documents;
    };
    store.publish(request);
  });
  expect_error(Kind::kUsage, "cannot be used", [&] {
    PublishRequest request = request_for(folder_.path(), "two");
    request.name = "../x";
    store.publish(request);
  });
  expect_error(Kind::kInterrupted, "", [&] {
    PublishRequest request = request_for(folder_.path(), "two");
    request.cancel.cancel();
    store.publish(request);
  });
}

TEST_F(StorePublish, FlatNamesOfOthersAreNotClobbered) {
  Store::create(out_);
  fs::create_directories(out_ / "isos");
  write(out_ / "isos/hello-minimal.iso", "mine");
  const auto attempt = [&] { publish("one"); };
  EXPECT_THROW(attempt(), Error);
  EXPECT_EQ(core::read_text_file(out_ / "isos/hello-minimal.iso"), "mine");
  EXPECT_TRUE(fs::is_empty(out_ / "releases/hello-minimal"));
  fs::remove(out_ / "isos/hello-minimal.iso");
  fs::create_symlink("/etc/passwd", out_ / "isos/hello-minimal.iso");
  EXPECT_THROW(attempt(), Error);
  fs::remove(out_ / "isos/hello-minimal.iso");
  attempt();
}

TEST_F(StorePublish, AnOddCurrentIsNeverClobbered) {
  publish("one");
  const fs::path link = out_ / "releases/hello-minimal/current";
  const auto attempt = [&](const std::string& says) {
    expect_error(Kind::kStore, says, [&] { publish("two"); });
    EXPECT_THROW(Store::open(out_).current("hello-minimal"), Error);
    EXPECT_THROW(Store::open(out_).promote("hello-minimal", *Version::parse("v20261120"), trusting()), Error);
    fs::remove_all(link);
  };
  fs::remove(link);
  write(link, "v20261120");
  attempt("not a symbolic link");
  fs::create_directory(link);
  attempt("not a symbolic link");
  fs::create_symlink("v20200101", link);
  attempt("missing");
  fs::create_symlink("../../../elsewhere", link);
  attempt("not to a release beside it");
  fs::create_symlink(release("v20261120"), link);
  attempt("not to a release beside it");
  EXPECT_EQ(publish("one").outcome, PublishOutcome::kIdentical);
  EXPECT_EQ(fs::read_symlink(link), "v20261120");
}

TEST_F(StorePublish, StoresOfANewerOrNoFormat) {
  EXPECT_THROW(Store::open(out_), Error);
  fs::create_directories(out_);
  EXPECT_THROW(Store::open(out_), Error);
  write(out_ / ".imgforge-store", "imgforge-store 2\n");
  expect_error(Kind::kStore, "format 2", [&] { Store::open(out_); });
  expect_error(Kind::kStore, "format 2", [&] { Store::create(out_); });
  write(out_ / ".imgforge-store", "hello\n");
  expect_error(Kind::kStore, "damaged", [&] { Store::create(out_); });
}

TEST_F(StorePublish, PromoteGoesBackAndForthAndChecksFirst) {
  publish("one");
  publish("two");
  Store store = Store::open(out_);
  store.promote("hello-minimal", *Version::parse("v20261120"), trusting());
  EXPECT_EQ(store.current("hello-minimal")->to_string(), "v20261120");
  store.promote("hello-minimal", *Version::parse("v20261120.1"), trusting());
  write(release("v20261120") / "hello-minimal-v20261120.iso", "rotten");
  expect_error(Kind::kIntegrity, "hello-minimal-v20261120.iso",
               [&] { store.promote("hello-minimal", *Version::parse("v20261120"), trusting()); });
  expect_error(Kind::kStore, "not a release",
               [&] { store.promote("hello-minimal", *Version::parse("v20200101"), trusting()); });
}

TEST_F(StorePublish, AFormatNoLongerMadeLosesItsFlatName) {
  publish("one");
  PublishRequest request = request_for(folder_.path(), "two");
  request.artifacts.pop_back();
  Store store = Store::open(out_);
  store.publish(request);
  EXPECT_FALSE(fs::is_symlink(out_ / "isos/hello-minimal.iso"));
  EXPECT_TRUE(fs::exists(out_ / "isos/hello-minimal-v20261120.iso"));
  store.promote("hello-minimal", *Version::parse("v20261120"), trusting());
  EXPECT_TRUE(fs::exists(out_ / "isos/hello-minimal.iso"));
}

TEST_F(StorePublish, LocksOutOthersAndNamesThem) {
  Store store = Store::create(out_);
  {
    const StoreLock lock(out_, std::chrono::seconds(1), {});
    PublishRequest request = request_for(folder_.path(), "one");
    request.lock_timeout = std::chrono::milliseconds(100);
    expect_error(Kind::kLocked, "process " + std::to_string(::getpid()), [&] { store.publish(request); });
  }
  EXPECT_EQ(publish("one").outcome, PublishOutcome::kPublished);
}

TEST_F(StorePublish, ParallelPublishersAllGetThrough) {
  Store::create(out_);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const fs::path own = folder_ / ("t" + std::to_string(i));
      fs::create_directories(own);
      Store::open(out_).publish(request_for(own, std::to_string(i)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Store store = Store::open(out_);
  const std::vector<Version> versions = store.versions("hello-minimal");
  ASSERT_EQ(versions.size(), 8U);
  EXPECT_EQ(versions.back().revision, 7U);
  for (const Version& version : versions) {
    EXPECT_TRUE(verify_release(release(version.to_string()), strict_options()).ok());
  }
}

TEST_F(StorePublish, ForeignFilesAndLiveStagingStay) {
  Store::create(out_);
  write(out_ / "notes.txt", "mine");
  const core::TempDir alive(out_ / ".staging", "other");
  // Process numbers end at 4194304 on Linux, so nobody has this one.
  const fs::path dead = out_ / ".staging" / "dead.4194305.0123456789ab";
  fs::create_directory(dead);
  write(dead / ".owner", "");
  publish("one");
  EXPECT_EQ(core::read_text_file(out_ / "notes.txt"), "mine");
  EXPECT_TRUE(fs::exists(alive.path()));
  EXPECT_FALSE(fs::exists(dead));
}

TEST_F(StoreTest, ALineBehindALinkIsRefusedAtOnceAndAStoreBehindOneWorks) {
  publish("one");
  fs::rename(out_, folder_ / "real");
  fs::create_directory_symlink("real", out_);
  EXPECT_EQ(Store::open(out_).lines(), std::vector<std::string>{"hello-minimal"});
  publish("two");
  const fs::path line = out_ / "releases/hello-minimal";
  fs::rename(line, folder_ / "elsewhere");
  fs::create_directory_symlink(folder_ / "elsewhere", line);
  const std::string before = listing();
  for (const bool publishes : {false, true}) {
    try {
      publishes ? static_cast<void>(publish("three")) : static_cast<void>(Store::open(out_).lines());
      ADD_FAILURE() << "accepted";
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::Kind::kStore);
      EXPECT_THAT(error.message(), testing::HasSubstr("is a symbolic link"));
    }
  }
  EXPECT_EQ(listing(), before);
}

TEST_F(StoreTest, TwelveBuildsOfADayAreInTheOrderOfTheirNumbers) {
  for (int number = 0; number < 12; ++number) publish("build " + std::to_string(number));
  std::vector<std::string> names;
  for (const Version& version : Store::open(out_).versions("hello-minimal"))
    names.push_back(version.to_string());
  std::vector<std::string> expected{"v20261120"};
  for (int number = 1; number < 12; ++number) expected.push_back("v20261120." + std::to_string(number));
  EXPECT_EQ(names, expected);
}

class Wreck : public StoreTest {
 protected:
  PublishResult publish_chosen(std::string_view content) {
    PublishRequest request = request_for(folder_.path(), content);
    request.version = *Version::parse("v1.0");
    return Store::create(out_).publish(request);
  }
  fs::path image() const { return release("v1.0") / "hello-minimal-v1.0.qcow2"; }
  /// What a power cut leaves: the name and the size, not the bytes.
  static void zero(const fs::path& file) {
    const auto size = fs::file_size(file);
    fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
    fs::resize_file(file, 0);
    fs::resize_file(file, size);
  }
  std::size_t put_aside() const {
    const fs::path folder = out_ / ".damaged";
    if (!fs::exists(folder)) return 0;
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }
};

TEST_F(Wreck, OfTheVersionThatIsBuiltAgainIsPutAside) {
  publish_chosen("one");
  for (const fs::path& file : {image(), release("v1.0") / kManifestFile}) {
    const std::size_t before = put_aside();
    zero(file);
    const PublishResult result = publish_chosen("one");
    EXPECT_EQ(result.outcome, PublishOutcome::kPublished);
    ASSERT_FALSE(result.warnings.empty());
    EXPECT_THAT(result.warnings.back(), testing::HasSubstr(".damaged"));
    EXPECT_EQ(put_aside(), before + 1);
    EXPECT_TRUE(verify_release(release("v1.0"), strict_options()).ok());
    EXPECT_TRUE(staging_is_empty());
  }
  EXPECT_EQ(publish_chosen("one").outcome, PublishOutcome::kIdentical);
}

TEST_F(Wreck, IsNoReasonToReplaceAReleaseOfOtherContent) {
  publish_chosen("one");
  for (const bool damaged : {false, true}) {
    if (damaged) zero(image());
    const std::string before = listing();
    try {
      publish_chosen("two");
      ADD_FAILURE() << "replaced";
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::Kind::kStore);
      EXPECT_THAT(error.hint(), testing::HasSubstr("imgforge remove hello-minimal@v1.0"));
    }
    EXPECT_EQ(listing(), before);
  }
}

}  // namespace
}  // namespace imgforge::artifacts
