// What servers, mirrors and thieves of some keys can offer as a catalogue, and why it is refused.
#include <gtest/gtest.h>

#include <chrono>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "support/catalogue_maker.hpp"

namespace imgforge::catalogue {
namespace {

using core::Json;
using core::Reason;

class CatalogueAttack : public ::testing::Test {
 protected:
  CatalogueAttack() : temporary_(std::filesystem::temp_directory_path(), "catalogue") {
    first_ = repository_.make_root(1, {repository_.roots[0], repository_.roots[1]});
    repository_.make(5);
  }

  Catalogue follow() {
    ClientOptions options;
    options.state = temporary_ / "state";
    options.first_root = first_;
    options.now = now_;
    return refresh(repository_.source(), options);
  }

  void refused(Reason reason) {
    try {
      follow();
      ADD_FAILURE() << "was taken";
    } catch (const core::Error& error) {
      EXPECT_EQ(core::reason_name(error.reason()), core::reason_name(reason)) << error.message();
    }
  }

  /// Signs other content for one file and puts it in place, and what names it too.
  void put(const std::string& name, const std::function<void(Json&)>& change) {
    Json body = Json::parse(repository_.files.at(name)).at("signed");
    change(body);
    repository_.files[name] = TestCatalogue::sign(body, {repository_.online});
  }

  TestCatalogue repository_;
  std::string first_;
  core::UnixTime now_{std::chrono::seconds(1795000000)};  // 2026-11-18
  core::TempDir temporary_;
};

TEST_F(CatalogueAttack, HonestOnesAreFollowedAndRemembered) {
  EXPECT_EQ(follow().version, 5u);
  repository_.make(6);
  const Catalogue catalogue = follow();
  EXPECT_EQ(catalogue.version, 6u);
  EXPECT_EQ(catalogue.valid_until, "2027-01-01T00:00:00Z");
  EXPECT_EQ(catalogue.targets.at("releases/demo/v1/manifest.json").line, "demo");
}

TEST_F(CatalogueAttack, OlderOnes) {
  follow();
  repository_.make(4);
  refused(Reason::kRollback);
  repository_.make(5);
  follow();
  put("timestamp.json", [](Json& body) {
    body["version"] = 7;
    body["meta"]["snapshot.json"]["version"] = 4;
  });
  refused(Reason::kRollback);
}

TEST_F(CatalogueAttack, OlderTargetsUnderANewSnapshot) {
  follow();
  TestCatalogue older = repository_;
  older.make(4);
  repository_.files["targets.json"] = older.files["targets.json"];
  Json body = repository_.head("snapshot", 6);
  body["meta"] = TestCatalogue::meta("targets.json", repository_.files["targets.json"], 4);
  repository_.files["snapshot.json"] = TestCatalogue::sign(body, {repository_.online});
  body = repository_.head("timestamp", 6);
  body["meta"] = TestCatalogue::meta("snapshot.json", repository_.files["snapshot.json"], 6);
  repository_.files["timestamp.json"] = TestCatalogue::sign(body, {repository_.online});
  refused(Reason::kRollback);
}

TEST_F(CatalogueAttack, RootsWithoutEnd) {
  // Each is signed as it has to be, by keys that may: a client follows 1,024 in a run and says so then.
  const auto source = [this](const std::string& name, std::size_t) -> std::optional<std::string> {
    const std::size_t dot = name.find(".root.json");
    if (dot == std::string::npos) return std::nullopt;
    return repository_.make_root(std::stoull(name.substr(0, dot)),
                                 {repository_.roots[0], repository_.roots[1]});
  };
  ClientOptions options;
  options.state = temporary_ / "state";
  options.first_root = first_;
  options.now = now_;
  EXPECT_THROW(refresh(source, options), core::Error);
  const Root kept = Root::parse(core::read_text_file(options.state / "root.json"));
  EXPECT_EQ(kept.document.version, 1025U) << "what was followed is kept";
}

TEST_F(CatalogueAttack, FrozenOnes) {
  follow();
  now_ += std::chrono::hours(24 * 60);
  refused(Reason::kExpired);
}

TEST_F(CatalogueAttack, MixedOnes) {
  TestCatalogue other = repository_;
  other.targets["releases/demo/v2/manifest.json"] = TestCatalogue::target("demo", "v2");
  other.make(6);
  for (const char* name : {"snapshot.json", "targets.json"}) {
    const std::string before = repository_.files[name];
    repository_.files[name] = other.files[name];
    try {
      follow();
      ADD_FAILURE() << name;
    } catch (const core::Error& error) {
      EXPECT_TRUE(error.reason() == Reason::kDigestMismatch || error.reason() == Reason::kSizeMismatch)
          << name;
    }
    repository_.files[name] = before;
  }
  EXPECT_EQ(follow().version, 5u);
}

TEST_F(CatalogueAttack, AFastForwardEndsWithARotation) {
  repository_.make(std::uint64_t{1} << 50);
  follow();
  repository_.make(7);
  refused(Reason::kRollback);
  repository_.online = TestKey(10);
  repository_.make_root(2, {repository_.roots[0], repository_.roots[2]});
  repository_.make(7);
  EXPECT_EQ(follow().version, 7u);
}

TEST_F(CatalogueAttack, ARootThatTooFewSigned) {
  const std::vector<TestKey> old = repository_.roots;
  repository_.make_root(2, {old[0]});
  refused(Reason::kBelowThreshold);
  // Signed by its own keys alone.
  repository_.roots = {TestKey(4), TestKey(5), TestKey(6)};
  repository_.make_root(2, repository_.roots);
  refused(Reason::kUnknownKey);
  // By the old ones alone.
  repository_.make_root(2, old);
  refused(Reason::kUnknownKey);
  repository_.make_root(2, {old[0], old[1], TestKey(4), TestKey(5)});
  EXPECT_EQ(follow().version, 5u);
  // A key that the last root no longer has.
  repository_.make_root(3, {old[0], old[1], old[2]});
  refused(Reason::kUnknownKey);
}

TEST_F(CatalogueAttack, ARootUnderAnotherNumber) {
  repository_.files["2.root.json"] = first_;
  refused(Reason::kRollback);
  repository_.files["2.root.json"] =
      TestCatalogue::sign(repository_.root_body(4), {repository_.roots[0], repository_.roots[1]});
  refused(Reason::kWrongSubject);
}

TEST_F(CatalogueAttack, OneKeyUnderTwoIds) {
  Json body = repository_.root_body(1);
  // The same 32 bytes with a further member: another id, of its own digest.
  Json twin = key_object(repository_.roots[0].point);
  twin["keyval"]["note"] = "twin";
  const std::string id = core::digest_of(core::HashAlgorithm::kSha256, canonical_json(twin)).hex();
  body["keys"][id] = twin;
  body["roles"]["root"]["keyids"].push_back(id);
  Json file = Json::parse(TestCatalogue::sign(body, {repository_.roots[0]}));
  Json second = file["signatures"][0];
  second["keyid"] = id;
  file["signatures"].push_back(second);
  first_ = canonical_json(file);
  refused(Reason::kBelowThreshold);
}

TEST_F(CatalogueAttack, TwoSignaturesOfOneKey) {
  first_ = TestCatalogue::sign(repository_.root_body(1), {repository_.roots[0], repository_.roots[0]});
  refused(Reason::kMalformed);
}

TEST_F(CatalogueAttack, Thresholds) {
  for (const std::uint64_t threshold : {0, 4}) {
    repository_.threshold = threshold;
    first_ = TestCatalogue::sign(repository_.root_body(1), repository_.roots);
    refused(Reason::kMalformed);
  }
}

TEST_F(CatalogueAttack, AKeyUnderAForeignId) {
  Json body = repository_.root_body(1);
  body["keys"][repository_.roots[0].id()] = key_object(TestKey(77).point);
  first_ = TestCatalogue::sign(body, repository_.roots);
  refused(Reason::kMalformed);
}

TEST_F(CatalogueAttack, UnknownKeysAndOtherRepositories) {
  TestCatalogue other;
  other.online = TestKey(50);
  other.make(6);
  for (const char* name : {"timestamp.json", "snapshot.json", "targets.json"})
    repository_.files[name] = other.files[name];
  refused(Reason::kUnknownKey);
}

TEST_F(CatalogueAttack, ChangedBytes) {
  std::string& text = repository_.files["timestamp.json"];
  text.replace(text.find("\"version\":5}}"), 12, "\"version\":6}");
  refused(Reason::kBadSignature);
}

TEST_F(CatalogueAttack, OneKindForAnother) {
  repository_.files["timestamp.json"] = repository_.files["snapshot.json"];
  refused(Reason::kWrongSubject);
}

TEST_F(CatalogueAttack, RepeatedMembers) {
  std::string& text = repository_.files["timestamp.json"];
  text.insert(text.find("\"signed\""), "\"signed\":{},");
  refused(Reason::kMalformed);
}

TEST_F(CatalogueAttack, EndlessData) {
  repository_.files["timestamp.json"] += std::string(kMaxTimestamp, ' ');
  refused(Reason::kSizeMismatch);
}

TEST_F(CatalogueAttack, TargetsOutsideAndUnderOtherNames) {
  std::uint64_t number = 5;  // of two with one number the first counts
  for (const char* path : {"../x/manifest.json", "/etc/passwd", "releases/../demo/v1/manifest.json", "a//b",
                           "a\\b", "releases/other/v1/manifest.json"}) {
    repository_.targets = {{path, TestCatalogue::target("demo", "v1")}};
    repository_.make(++number);
    refused(Reason::kMalformed);
  }
  repository_.targets = {{"releases/a/b/v1/manifest.json", TestCatalogue::target("a/b", "v1")}};
  repository_.make(++number);
  refused(Reason::kMalformed);
  repository_.targets = {{"releases/../v1/manifest.json", TestCatalogue::target("..", "v1")}};
  repository_.make(++number);
  refused(Reason::kMalformed);
}

TEST_F(CatalogueAttack, NothingToBeginWith) {
  first_.clear();
  refused(Reason::kUnknownKey);
}

TEST_F(CatalogueAttack, MissingFiles) {
  for (const char* name : {"timestamp.json", "snapshot.json", "targets.json"}) {
    const std::string before = repository_.files[name];
    repository_.files.erase(name);
    refused(Reason::kMissing);
    repository_.files[name] = before;
  }
}

TEST_F(CatalogueAttack, ADamagedStateIsNotForgotten) {
  follow();
  std::filesystem::resize_file(temporary_ / "state" / "root.json", 10);
  refused(Reason::kMalformed);
}

}  // namespace
}  // namespace imgforge::catalogue
