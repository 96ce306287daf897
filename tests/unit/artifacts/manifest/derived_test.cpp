// Releases made from other releases: what their manifests say, how they are numbered and that they leave
// `current` alone; what differs between two manifests.
#include <gmock/gmock.h>

#include "artifacts/manifest/release_diff.hpp"
#include "core/json.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Json;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace testing_support;

class Derived : public StoreTest {
 protected:
  PublishRequest derived(std::string_view content, const Version& source,
                         const std::string& operation = "resize") {
    PublishRequest request = request_for(folder_.path(), content);
    request.version = source;
    request.numbering = Numbering::kNextRevision;
    request.current = Current::kLeave;
    request.derived_from =
        ManifestDerivation{"hello-minimal@" + source.to_string(), operation, {sha256_of("source")}};
    return request;
  }
  PublishResult publish_request(const PublishRequest& request) {
    return Store::create(out_).publish(request);
  }
  std::string current() { return Store::open(out_).current("hello-minimal")->to_string(); }
};

TEST_F(Derived, GetsTheNextRevisionAndLeavesCurrent) {
  const PublishResult source = publish("one");
  const PublishResult made = publish_request(derived("grown", source.version));
  EXPECT_EQ(made.version.to_string(), "v20261120.1");
  EXPECT_EQ(current(), "v20261120");
  EXPECT_TRUE(fs::exists(out_ / "images" / "hello-minimal-v20261120.1.qcow2"));
  EXPECT_EQ(fs::read_symlink(out_ / "images" / "hello-minimal.qcow2"),
            "../releases/hello-minimal/current/hello-minimal.qcow2");
  EXPECT_EQ(parse_manifest(core::read_text_file(made.directory / "manifest.json")).derived_from,
            made.manifest.derived_from);
  EXPECT_EQ(parse_manifest_overview(core::read_text_file(made.directory / "manifest.json")).derived_from,
            made.manifest.derived_from);
}

TEST_F(Derived, IsComparedWithItsLikeOnly) {
  const PublishResult source = publish("one");
  const PublishResult made = publish_request(derived("one", source.version));  // the same bytes, yet derived
  EXPECT_EQ(made.outcome, PublishOutcome::kPublished);
  EXPECT_EQ(publish_request(derived("one", source.version)).outcome, PublishOutcome::kIdentical);
  EXPECT_EQ(publish_request(derived("one", source.version, "other")).version.to_string(), "v20261120.2");
  const PublishResult rebuilt = publish("one");
  EXPECT_EQ(rebuilt.outcome, PublishOutcome::kIdentical);
  EXPECT_EQ(rebuilt.version.to_string(), "v20261120");
  EXPECT_EQ(current(), "v20261120");
}

TEST_F(Derived, OfAChosenVersionCountsFromOne) {
  PublishRequest request = request_for(folder_.path(), "one");
  request.version = *Version::parse("1.4.2");
  publish_request(request);
  EXPECT_EQ(publish_request(derived("a", request.version)).version.to_string(), "1.4.2.1");
  EXPECT_EQ(publish_request(derived("b", request.version)).version.to_string(), "1.4.2.2");
  EXPECT_EQ(publish_request(derived("b", request.version)).outcome, PublishOutcome::kIdentical);
  EXPECT_EQ(current(), "1.4.2");
}

TEST_F(Derived, IsNotWhatARollbackGoesBackTo) {
  const PublishResult first = publish("one");
  publish_request(derived("grown", first.version));
  publish("two", "20261121");
  EXPECT_EQ(Store::open(out_).rollback("hello-minimal", {}, trusting()).to, "v20261120");
}

TEST_F(Derived, TurnsCurrentWhenAsked) {
  const PublishResult source = publish("one");
  PublishRequest request = derived("grown", source.version);
  request.current = Current::kTurn;
  publish_request(request);
  EXPECT_EQ(current(), "v20261120.1");
}

TEST_F(Derived, MemberIsReadStrictly) {
  const PublishResult source = publish("one");
  const PublishResult made = publish_request(derived("grown", source.version));
  const Json good = Json::parse(core::read_text_file(made.directory / "manifest.json"));
  const auto refused = [&](const char* pointer, const Json& value, const std::string& says) {
    Json changed = good;
    changed[Json::json_pointer(pointer)] = value;
    try {
      parse_manifest(core::print_json(changed));
      ADD_FAILURE() << "accepted " << value;
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr(says));
    }
  };
  refused("/derived_from", Json(), "derived_from");
  refused("/derived_from/surprise", 1, "not known");
  for (const char* release : {"", "hello", "../x@v1", "hello@", "hello@../v1", "hello@a@b"})
    refused("/derived_from/release", release, "release");
  refused("/derived_from/operation", 1, "operation");
  refused("/derived_from/artifacts", Json::array(), "empty");
  refused("/derived_from/artifacts/0", "abc", "");
  refused("/derived_from/artifacts/0", std::string(64, 'A'), "lower-case");
  Json without = good;
  without["derived_from"].erase("operation");
  EXPECT_THROW(parse_manifest(core::print_json(without)), Error);
}

TEST_F(Derived, DifferencesOfManifests) {
  Manifest before = publish("one").manifest;
  Manifest after = publish("two", "20261121").manifest;
  after.packages = {{"musl", "1.2.5-r2", "x86_64", "", "", "", "", {}, 1},
                    {"zlib", "1.3", "x86_64", "", "", "", "", {}, 1}};
  before.packages.push_back({"gone", "1", "x86_64", "", "", "", "", {}, 1});
  after.boots.front().markers.front().second = 9900;
  after.kernel_cmdline = "quiet";
  const ReleaseDiff found = diff_releases(before, after);
  EXPECT_THAT(found.packages, ElementsAre(DiffRow{"gone", "1", "", Change::kRemoved},
                                          DiffRow{"musl", "1.2.5-r1", "1.2.5-r2", Change::kChanged},
                                          DiffRow{"zlib", "", "1.3", Change::kAdded}));
  EXPECT_THAT(found.boots, ElementsAre(DiffRow{"qcow2 disk BIOS", "12.3 s", "9.9 s", Change::kChanged}));
  EXPECT_THAT(found.fields, ElementsAre(DiffRow{"command line", "console=ttyS0", "quiet", Change::kChanged}));
  ASSERT_EQ(found.artifacts.size(), 2U);  // equal sizes, other bytes
  EXPECT_THAT(found.artifacts[0].before, HasSubstr("sha256"));
  EXPECT_TRUE(diff_releases(before, before).empty());
}

TEST(ReleaseDiff, AManifestFromBeforeTheBaseWasListedIsNotComparedInThat) {
  Manifest before;
  before.base.kind = "minirootfs";
  ManifestPackage jq;
  jq.name = "jq";
  jq.version = "1";
  before.packages = {jq};
  Manifest after = before;
  ManifestPackage musl;
  musl.name = "musl";
  musl.version = "1";
  musl.from_base = true;
  after.packages.push_back(musl);
  EXPECT_TRUE(diff_releases(before, after).packages.empty());
  EXPECT_TRUE(diff_releases(after, before).packages.empty());
  Manifest later = after;
  later.packages[1].version = "2";
  ASSERT_EQ(diff_releases(after, later).packages.size(), 1U);
  EXPECT_EQ(diff_releases(after, later).packages[0].after, "2");
  before.base.kind = "embedded";
  EXPECT_EQ(diff_releases(before, after).packages.size(), 1U);
}

}  // namespace
}  // namespace imgforge::artifacts
