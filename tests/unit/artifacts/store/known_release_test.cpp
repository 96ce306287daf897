// A release that is there already, found by what is remembered of its files; and who does not go by that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/open_watch.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using ::testing::UnorderedElementsAre;
using namespace testing_support;

class KnownRelease : public StoreTest {
 protected:
  PublishResult publish(Earlier earlier = Earlier::kBelieve) {
    DigestMemory memory(file_, earlier);
    PublishRequest request = request_for(folder_.path(), "one");
    for (StagedArtifact& artifact : request.artifacts)
      artifact.sha256 = core::digest_of_file(core::HashAlgorithm::kSha256, artifact.path);
    request.memory = &memory;
    PublishResult result = Store::create(out_).publish(request);
    memory.save();
    return result;
  }
  fs::path image() const { return release("v20261120") / "hello-minimal-v20261120.qcow2"; }
  /// Other bytes, and a memory that swears by the old ones.
  void damage_and_lie() {
    std::string bytes = core::read_text_file(image());
    const std::string before = remembered(image());
    bytes[100] ^= 1;
    write(image(), bytes);
    std::string rows = core::read_text_file(file_);
    rows.erase(0, rows.find('\n') + 1);
    rows.replace(rows.find(before), before.size(), remembered(image()));
    write(file_, "imgforge-digests 1 " + sha256_of(rows).hex() + "\n" + rows);
    fs::permissions(file_, fs::perms::owner_read | fs::perms::owner_write);
  }
  /// " device inode size modified changed ", as a row of the memory has it.
  static std::string remembered(const fs::path& file) {
    const FileIdentity id = *identity_of(file);
    std::string text;
    for (const std::uint64_t number : {id.device, id.inode, id.size}) text += " " + std::to_string(number);
    for (const std::int64_t number : {id.modified, id.changed}) text += " " + std::to_string(number);
    return text + " ";
  }

  fs::path file_ = folder_ / "digests";
};

TEST_F(KnownRelease, OnlyWhatSignsForItIsOpened) {
  const PublishResult first = publish();
  EXPECT_EQ(first.outcome, PublishOutcome::kPublished);
  imgforge::testing::OpenWatch watch(out_ / "releases");
  EXPECT_EQ(publish().outcome, PublishOutcome::kIdentical);
  const fs::path& folder = first.directory;
  EXPECT_THAT(watch.opened(), UnorderedElementsAre(folder / "manifest.json", folder / "manifest.json.minisig",
                                                   folder / "SHA256SUMS", folder / "SHA256SUMS.minisig"));
  EXPECT_EQ(publish(Earlier::kForget).outcome, PublishOutcome::kIdentical);
  EXPECT_TRUE(watch.opened().contains(image()));
}

TEST_F(KnownRelease, DamageIsNoticed) {
  publish();
  fs::permissions(image(), fs::perms::owner_write, fs::perm_options::add);
  const core::Fd fd = core::open_file(image(), O_WRONLY);
  core::write_all(fd.get(), "damaged", image().native());
  EXPECT_EQ(publish().version.to_string(), "v20261120.1");
}

TEST_F(KnownRelease, AMissingFileAndOneOfAnotherSizeAreNoticed) {
  publish();
  const std::string bytes = core::read_text_file(image());
  fs::remove(image());
  EXPECT_EQ(publish().version.to_string(), "v20261120.1");
  const fs::path next = release("v20261120.1") / "hello-minimal-v20261120.1.qcow2";
  write(next, bytes + "x");
  EXPECT_EQ(publish().version.to_string(), "v20261120.2");
}

TEST_F(KnownRelease, ALieIsBelievedByABuildAlone) {
  publish();
  damage_and_lie();
  const Store store = Store::open(out_);
  EXPECT_EQ(publish().outcome, PublishOutcome::kIdentical);
  EXPECT_FALSE(verify_release(release("v20261120"), strict_options()).ok());
  EXPECT_THROW(Store::open(out_).promote("hello-minimal", *Version::parse("v20261120"), trusting()),
               core::Error);
  EXPECT_EQ(publish(Earlier::kForget).version.to_string(), "v20261120.1");
}

TEST_F(KnownRelease, ANewReleaseIsMadeOfWhatIsInTheFilesNow) {
  PublishRequest request = request_for(folder_.path(), "one");
  request.artifacts.front().sha256 = sha256_of("what its file is believed to hold");
  try {
    Store::create(out_).publish(request);
    ADD_FAILURE() << "no error";
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::Kind::kIntegrity) << error.message();
  }
  EXPECT_TRUE(staging_is_empty());
}

}  // namespace
}  // namespace imgforge::artifacts
