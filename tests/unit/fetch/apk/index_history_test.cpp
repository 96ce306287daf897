// Mirrors that serve an index that is older than the last one, and the state by which that is seen.
#include "builder/fetch/apk/repository/index_history.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "builder/fetch/apk/repository/apk_packages.hpp"
#include "core/atomic_file.hpp"
#include "support/apk_maker.hpp"
#include "support/fetch_lab.hpp"
#include "support/servers.hpp"

namespace imgforge::fetch {
namespace {

using testing::ApkKey;
using testing::ApkParts;
using testing::error_of;
using testing::FaultServer;
using testing::FetchLab;

constexpr unsigned kEarly = 1'700'000'000;
constexpr unsigned kLate = 1'700'600'000;

TEST(IsOlder, ByTimeUnlessTheDescriptionSaysOtherwise) {
  const auto older = [](const std::string& got, std::uint64_t time, const std::string& seen,
                        std::uint64_t seen_time) {
    return is_older({got, time}, {seen, seen_time});
  };
  EXPECT_TRUE(older("", 1, "", 2));
  EXPECT_FALSE(older("", 2, "", 2));
  EXPECT_FALSE(older("", 3, "", 2));
  // A package was withdrawn: the newest build time goes back, the commits do not.
  EXPECT_FALSE(older("v3.19.1-643-gec825d20535", 1, "v3.19.1-642-g9e5b575ce97", 2));
  EXPECT_FALSE(older("v3.19.2", 1, "v3.19.1-642-g9e5b575ce97", 2));
  EXPECT_FALSE(older("v3.19.10", 1, "v3.19.9-3-gabc", 2));
  EXPECT_TRUE(older("v3.19.1-642-g9e5b575ce97", 1, "v3.19.1-643-gec825d20535", 2));
  EXPECT_TRUE(older("v3.19.1-642-g9e5b575ce97", 1, "v3.19.1-642-g9e5b575ce97", 2));
  EXPECT_TRUE(older("v3.19.1-9999-g9e5b575ce97", 1, "v3.19.2", 2));
  // Only descriptions of that form say anything.
  for (const char* text :
       {"v3.19.4-imgforge-test", "3.20", "v3.20-", "v3.20-1-", "v-1-gabc", "v3.20-1-gxyz", "v3..20", "v"})
    EXPECT_TRUE(older(text, 1, "v3.19", 2)) << text;
}

class IndexHistoryTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { key_ = std::make_unique<ApkKey>(); }
  static void TearDownTestSuite() { key_.reset(); }

  static std::string index_of(unsigned time, const std::string& version = "1.0-r0", const ApkKey& key = *key_,
                              const std::string& description = "test") {
    ApkParts part;
    part.version = version;
    return testing::signed_member(testing::index_control(part.index_record(100), description, time), key);
  }
  static void put(const FaultServer& server, const std::string& content) {
    server.put("v3/main/x86_64/APKINDEX.tar.gz", content);
  }
  /// The version that a run sees.
  std::string version(const std::vector<std::string>& mirrors, PublicKeys keys = {}) {
    keys.emplace(key_->name(), key_->pem());
    const auto repositories = load_repositories(lab_.context, {"main"}, mirrors, "v3", "x86_64", keys);
    return repositories.at(0).index.entries().at(0).version;
  }
  core::Error refusal(const std::vector<std::string>& mirrors) {
    return error_of([&] { version(mirrors); });
  }

  static std::unique_ptr<ApkKey> key_;
  FaultServer first_, second_;
  std::vector<std::string> one_{first_.url("")};
  std::vector<std::string> both_{first_.url(""), second_.url("")};
  FetchLab lab_;
};

std::unique_ptr<ApkKey> IndexHistoryTest::key_;

TEST_F(IndexHistoryTest, AnOlderIndexIsRefusedAndNothingOfItKept) {
  put(first_, index_of(kLate, "2.0-r0"));
  EXPECT_EQ(version(one_), "2.0-r0");
  put(first_, index_of(kEarly, "1.0-r0"));
  for (int run = 0; run < 2; ++run) {
    const core::Error error = refusal(one_);
    EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
    EXPECT_NE(error.message().find("the index went backwards"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("2023-11-14T22:13:20Z"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("2023-11-21T20:53:20Z"), std::string::npos) << error.message();
    EXPECT_NE(error.hint().find("--allow-older-index"), std::string::npos);
  }
  put(first_, index_of(kLate + 1, "3.0-r0"));
  EXPECT_EQ(version(one_), "3.0-r0");
}

TEST_F(IndexHistoryTest, TheNextMirrorHelps) {
  put(first_, index_of(kLate, "2.0-r0"));
  put(second_, index_of(kLate, "2.0-r0"));
  EXPECT_EQ(version(both_), "2.0-r0");
  put(first_, index_of(kEarly, "1.0-r0"));
  EXPECT_EQ(version(both_), "2.0-r0");
  EXPECT_EQ(second_.requests().size(), 1u);
  // The other mirror alone is judged by what was seen of the first, too.
  put(second_, index_of(kEarly, "1.0-r0"));
  EXPECT_EQ(refusal({second_.url("")}).kind(), core::Kind::kIntegrity);
}

TEST_F(IndexHistoryTest, AMirrorThatSaysUnchangedOfAnOldOneDoesNotHelpItself) {
  put(first_, index_of(kEarly, "1.0-r0"));
  put(second_, index_of(kLate, "2.0-r0"));
  EXPECT_EQ(version(one_), "1.0-r0");
  EXPECT_EQ(version({second_.url("")}), "2.0-r0");
  EXPECT_EQ(refusal(one_).kind(), core::Kind::kIntegrity) << "its answer is a 304";
}

TEST_F(IndexHistoryTest, WhenApkWroteNoTimesTheNewestPackageCounts) {
  const auto built = [&](unsigned time) {
    std::string record = ApkParts{}.index_record(100);
    record.insert(record.find("\nL:"), "\nt:" + std::to_string(time));
    return testing::signed_member(testing::index_control(record), *key_);
  };
  put(first_, built(kLate));
  version(one_);
  put(first_, built(kEarly));
  EXPECT_EQ(refusal(one_).kind(), core::Kind::kIntegrity);
  // A time beyond all calendars is no fault of the reader.
  put(first_, built(0));
  std::string record = ApkParts{}.index_record(100);
  record.insert(record.find("\nL:"), "\nt:18446744073709551615");
  put(first_, testing::signed_member(testing::index_control(record), *key_));
  version(one_);
  put(first_, built(kLate));
  EXPECT_NE(refusal(one_).message().find("9999-12-31"), std::string::npos);
}

TEST_F(IndexHistoryTest, SettingAMirrorBackCanBeAllowed) {
  put(first_, index_of(kLate, "2.0-r0"));
  version(one_);
  put(first_, index_of(kEarly, "1.0-r0"));
  lab_.context.older_index = OlderIndex::kAllow;
  EXPECT_EQ(version(one_), "1.0-r0");
  ASSERT_EQ(lab_.progress.warnings.size(), 1u);
  EXPECT_NE(lab_.progress.warnings[0].find("went backwards"), std::string::npos);
  lab_.context.older_index = OlderIndex::kRefuse;
  EXPECT_EQ(version(one_), "1.0-r0") << "what was allowed once is what is compared with from then on";
  EXPECT_EQ(lab_.progress.warnings.size(), 1u);
}

TEST_F(IndexHistoryTest, EachSignerAndRepositoryHasALineOfItsOwn) {
  put(first_, index_of(kLate, "2.0-r0"));
  version(one_);
  const ApkKey other("other.rsa.pub");
  put(second_, index_of(kEarly, "0.5-r0", other));
  EXPECT_EQ(version({second_.url("")}, {{other.name(), other.pem()}}), "0.5-r0");
  first_.put("v4/main/x86_64/APKINDEX.tar.gz", index_of(kEarly, "1.0-r0"));
  load_repositories(lab_.context, {"main", first_.url("/v4/main")}, one_, "v4", "x86_64",
                    {{key_->name(), key_->pem()}});
  put(first_, index_of(kEarly, "1.0-r0"));
  EXPECT_EQ(refusal(one_).kind(), core::Kind::kIntegrity);
}

TEST_F(IndexHistoryTest, OfflineNothingIsHinderedAndTheLastIndexIsSeen) {
  put(first_, index_of(kEarly, "1.0-r0"));
  put(second_, index_of(kLate, "2.0-r0"));
  version(one_);
  put(first_, "portal");
  EXPECT_EQ(version(both_), "2.0-r0");
  put(first_, index_of(kEarly, "1.0-r0"));
  refusal(one_);
  lab_.context.network = Network::kOffline;
  EXPECT_EQ(version(both_), "2.0-r0");
}

TEST_F(IndexHistoryTest, OfflineAnOldCopyOfTheFirstMirrorDoesNotHideTheLast) {
  put(first_, index_of(kEarly, "1.0-r0"));
  put(second_, index_of(kLate, "2.0-r0"));
  version(one_);
  std::filesystem::remove(first_.root() / "v3/main/x86_64/APKINDEX.tar.gz");
  EXPECT_EQ(version(both_), "2.0-r0");
  lab_.context.network = Network::kOffline;
  EXPECT_EQ(version(both_), "2.0-r0");
  EXPECT_EQ(version(one_), "1.0-r0") << "older, and all that there is";
}

TEST_F(IndexHistoryTest, ADamagedStateIsSaidAndMadeAnew) {
  for (const char* damage : {"", "{", "{}", "digit", "folder"}) {
    FetchLab lab;
    const auto load = [&] {
      load_repositories(lab.context, {"main"}, one_, "v3", "x86_64", {{key_->name(), key_->pem()}});
    };
    put(first_, index_of(kLate, "2.0-r0"));
    load();
    const auto folder = lab.context.cache / "indexes";
    std::filesystem::path file;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().extension() == ".json") file = entry.path();
    std::string text = core::read_text_file(file);
    if (std::string_view(damage) == "digit") {
      text[text.find(std::to_string(kLate))] = '2';
    } else {
      text = damage;
    }
    if (std::string_view(damage) == "folder") {
      std::filesystem::remove(file);
      std::filesystem::create_symlink("/dev/null", file);
    } else {
      core::write_file_atomically(file, text);
    }
    put(first_, index_of(kLate + 10, "2.1-r0"));
    load();
    ASSERT_EQ(lab.progress.warnings.size(), 1u) << damage;
    EXPECT_NE(lab.progress.warnings[0].find("is damaged"), std::string::npos);
    put(first_, index_of(kEarly, "1.0-r0"));
    const core::Error error = error_of(load);
    EXPECT_EQ(error.kind(), core::Kind::kIntegrity) << damage << ": " << error.message();
    EXPECT_EQ(lab.progress.warnings.size(), 1u) << damage;
  }
}

TEST_F(IndexHistoryTest, OfTwoAtOnceTheNewerStays) {
  const PublicKeys keys{{key_->name(), key_->pem()}};
  const Index late = load_index(index_of(kLate), keys, "x86_64", "late");
  const Index early = load_index(index_of(kEarly), keys, "x86_64", "early");
  const core::Digest digest = core::digest_of(core::HashAlgorithm::kSha256, "x");
  // As when the older one was accepted before the newer one had been written down.
  for (int round = 0; round < 20; ++round) {
    std::filesystem::remove_all(lab_.context.cache / "indexes");
    std::thread one(
        [&] { IndexHistory(lab_.context, "v3/main", "x86_64").remember(late, "http://a/", digest); });
    std::thread two(
        [&] { IndexHistory(lab_.context, "v3/main", "x86_64").remember(early, "http://b/", digest); });
    one.join();
    two.join();
    const IndexHistory history(lab_.context, "v3/main", "x86_64");
    EXPECT_EQ(error_of([&] { history.check(early, "http://b/"); }).kind(), core::Kind::kIntegrity) << round;
  }
}

TEST_F(IndexHistoryTest, AKillLeavesTheOldStateOrTheNew) {
  const PublicKeys keys{{key_->name(), key_->pem()}};
  const Index late = load_index(index_of(kLate), keys, "x86_64", "late");
  const Index early = load_index(index_of(kEarly), keys, "x86_64", "early");
  const IndexHistory history(lab_.context, "v3/main", "x86_64");
  history.remember(late, "http://a/", core::digest_of(core::HashAlgorithm::kSha256, "0"));
  for (int round = 0; round < 15; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int i = 1;; ++i)
        history.remember(late, "http://a/", core::digest_of(core::HashAlgorithm::kSha256, std::to_string(i)));
    }
    ::usleep(static_cast<useconds_t>(500 + round * 700));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(error_of([&] { history.check(early, "http://b/"); }).kind(), core::Kind::kIntegrity) << round;
    EXPECT_TRUE(lab_.progress.warnings.empty()) << round;
  }
}

}  // namespace
}  // namespace imgforge::fetch
