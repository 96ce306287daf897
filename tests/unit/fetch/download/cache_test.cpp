// HttpCache and Downloader over real transfers.
#include <gtest/gtest.h>

#include "builder/fetch/download/downloader.hpp"
#include "builder/fetch/http/http_cache.hpp"
#include "core/atomic_file.hpp"
#include "core/bytes.hpp"
#include "support/fetch_lab.hpp"
#include "support/servers.hpp"

namespace imgforge::fetch {
namespace {

using testing::error_of;
using testing::FaultServer;
using testing::FetchLab;

core::Digest sha256(std::string_view text) {
  return core::digest_of(core::HashAlgorithm::kSha256, text);
}

class CacheTest : public ::testing::Test {
 protected:
  CachedRequest request(const std::string& path) {
    return {.what = "the index", .urls = {server_.url(path)}};
  }
  std::string last_request() const { return server_.requests().back(); }

  FaultServer server_;
  FetchLab lab_;
};

TEST_F(CacheTest, AnUnchangedFileCostsOneConditionalRequest) {
  server_.put("index", "one");
  EXPECT_EQ(HttpCache(lab_.context).get(request("/index")).content, "one");
  EXPECT_EQ(HttpCache(lab_.context).get(request("/index")).content, "one");
  EXPECT_EQ(server_.requests().size(), 2u);
  EXPECT_EQ(last_request(), "GET /index conditional");
  server_.put("index", "two");
  EXPECT_EQ(HttpCache(lab_.context).get(request("/index")).content, "two");
  EXPECT_EQ(server_.requests().size(), 3u);
}

TEST_F(CacheTest, WithoutValidatorsItIsFetchedAgain) {
  server_.put("index", "one");
  HttpCache(lab_.context).get(request("/x/no-etag/index"));
  HttpCache(lab_.context).get(request("/x/no-etag/index"));
  EXPECT_EQ(last_request(), "GET /x/no-etag/index");
}

TEST_F(CacheTest, OfflineUsesWhatIsKept) {
  server_.put("index", "one");
  HttpCache(lab_.context).get(request("/index"));
  lab_.context.network = Network::kOffline;
  EXPECT_EQ(HttpCache(lab_.context).get(request("/index")).content, "one");
  EXPECT_EQ(server_.requests().size(), 1u);
  const core::Error error = error_of([&] { HttpCache(lab_.context).get(request("/other")); });
  EXPECT_EQ(error.kind(), core::Kind::kFetch);
  EXPECT_NE(error.message().find("offline: " + server_.url("/other") + " was never fetched"),
            std::string::npos);
}

TEST_F(CacheTest, ASpoiledCopyIsFetchedAgain) {
  server_.put("index", "one");
  HttpCache(lab_.context).get(request("/index"));
  for (const char* damage : {"body", "empty record", "cut record"}) {
    for (const auto& entry : std::filesystem::directory_iterator(lab_.context.cache / "http")) {
      const bool record = entry.path().extension() == ".json";
      if (record == (std::string_view(damage) == "body")) continue;
      core::write_file_atomically(entry.path(), record ? (damage[0] == 'e' ? "" : "{\"url\":") : "evil");
    }
    EXPECT_EQ(HttpCache(lab_.context).get(request("/index")).content, "one") << damage;
    EXPECT_EQ(last_request(), "GET /index") << damage;
  }
}

TEST_F(CacheTest, WhatTheCallerRefusesIsNotKept) {
  server_.put("index", "portal");
  CachedRequest strict = request("/index");
  strict.accept = [](const CachedFile& file) {
    if (file.content == "portal") throw core::Error(core::Kind::kPackage, "not an index");
  };
  const core::Error error = error_of([&] { HttpCache(lab_.context).get(strict); });
  EXPECT_EQ(error.kind(), core::Kind::kPackage);
  EXPECT_EQ(error.message(), "the index: not an index");
  EXPECT_TRUE(std::filesystem::is_empty(lab_.context.cache / "http"));
  // A copy that was acceptable once and is not any more must not be kept alive by 304 answers.
  HttpCache(lab_.context).get(request("/index"));
  EXPECT_EQ(error_of([&] { HttpCache(lab_.context).get(strict); }).kind(), core::Kind::kPackage);
  EXPECT_EQ(last_request(), "GET /index");
  server_.put("index", "good");
  EXPECT_EQ(HttpCache(lab_.context).get(strict).content, "good");
}

TEST_F(CacheTest, TheNextMirrorHelps) {
  server_.put("index", "one");
  CachedRequest mirrors = request("/missing");
  mirrors.urls.push_back(server_.url("/index"));
  const CachedFile file = HttpCache(lab_.context).get(mirrors);
  EXPECT_EQ(file.content, "one");
  EXPECT_EQ(file.url, server_.url("/index"));
  mirrors.urls = {server_.url("/missing"), server_.url("/x/status-403/index")};
  const core::Error error = error_of([&] { HttpCache(lab_.context).get(mirrors); });
  EXPECT_EQ(error.kind(), core::Kind::kFetch);
  EXPECT_NE(error.message().find("/missing: HTTP 404"), std::string::npos) << error.message();
  EXPECT_NE(error.quote().find("HTTP 403"), std::string::npos) << error.quote();
}

class DownloaderTest : public CacheTest {
 protected:
  Download download(const std::string& path, std::string_view content) {
    return {.name = "thing", .urls = {server_.url(path)}, .promises = {{sha256(content), "the recipe"}}};
  }
  void expect_nothing_left() {
    EXPECT_EQ(lab_.leftovers(), 0u);
    EXPECT_EQ(lab_.stored(), 0u);
  }
};

TEST_F(DownloaderTest, ASecondRunMakesNoRequest) {
  server_.put("data", "content");
  EXPECT_EQ(Downloader(lab_.context).fetch(download("/data", "content")).size(), 7u);
  const artifacts::VerifiedFile again = Downloader(lab_.context).fetch(download("/data", "content"));
  EXPECT_EQ(server_.requests().size(), 1u);
  EXPECT_EQ(core::read_text_file(again.path()), "content");
  EXPECT_EQ(lab_.leftovers(), 0u);
}

TEST_F(DownloaderTest, ARottenBlobIsFetchedAgain) {
  server_.put("data", "content");
  const artifacts::VerifiedFile first = Downloader(lab_.context).fetch(download("/data", "content"));
  std::filesystem::permissions(first.path(), std::filesystem::perms::owner_all);
  core::write_file_atomically(first.path(), "rotten!");
  const artifacts::VerifiedFile again = Downloader(lab_.context).fetch(download("/data", "content"));
  EXPECT_EQ(core::read_text_file(again.path()), "content");
  EXPECT_EQ(server_.requests().size(), 2u);
}

TEST_F(DownloaderTest, AWrongDigestIsARefusalThatTellsBoth) {
  server_.put("data", "content");
  const core::Error error =
      error_of([&] { Downloader(lab_.context).fetch(download("/x/flip/data", "content")); });
  EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
  EXPECT_NE(error.message().find(sha256("content").to_string()), std::string::npos) << error.message();
  EXPECT_NE(error.message().find(sha256("conuent").to_string()), std::string::npos) << error.message();
  EXPECT_NE(error.message().find(server_.url("/x/flip/data")), std::string::npos);
  EXPECT_NE(error.message().find("the recipe"), std::string::npos);
  expect_nothing_left();
}

TEST_F(DownloaderTest, TheNextMirrorHelpsAndTheBadOneIsNamed) {
  server_.put("data", "content");
  Download mirrors = download("/x/flip/data", "content");
  mirrors.urls.push_back(server_.url("/data"));
  Downloader(lab_.context).fetch(mirrors);
  ASSERT_EQ(lab_.progress.warnings.size(), 1u);
  EXPECT_NE(lab_.progress.warnings[0].find("/x/flip/data"), std::string::npos);
  EXPECT_EQ(lab_.stored(), 1u);
}

TEST_F(DownloaderTest, TheWorstFailureIsTold) {
  server_.put("data", "content");
  Download mirrors = download("/missing", "content");
  mirrors.urls = {server_.url("/missing"), server_.url("/x/flip/data"), server_.url("/x/status-403/data")};
  const core::Error error = error_of([&] { Downloader(lab_.context).fetch(mirrors); });
  EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
  EXPECT_NE(error.quote().find("HTTP 404"), std::string::npos);
  EXPECT_NE(error.quote().find("HTTP 403"), std::string::npos);
  expect_nothing_left();
}

TEST_F(DownloaderTest, Sha512AloneIsRememberedToo) {
  server_.put("data", "content");
  Download only = download("/data", "content");
  only.promises = {{core::digest_of(core::HashAlgorithm::kSha512, "content"), "the recipe"}};
  Downloader(lab_.context).fetch(only);
  Downloader(lab_.context).fetch(only);
  EXPECT_EQ(server_.requests().size(), 1u);
  // A second name that leads to another blob is not believed.
  const artifacts::VerifiedFile other = lab_.blobs.put("other");
  for (const auto& entry : std::filesystem::directory_iterator(lab_.context.cache / "known")) {
    core::write_file_atomically(entry.path(), "{\"sha256\": \"" + other.digest().to_string() + "\"}");
  }
  EXPECT_EQ(core::read_text_file(Downloader(lab_.context).fetch(only).path()), "content");
  EXPECT_EQ(server_.requests().size(), 2u);
}

TEST_F(DownloaderTest, PromisesThatContradictEachOtherRefuse) {
  server_.put("data", "content");
  Download both = download("/data", "content");
  both.promises.push_back({core::digest_of(core::HashAlgorithm::kSha512, "other"), "the lock"});
  for (int run = 0; run < 2; ++run) {  // the second time with the blob in the cache
    const core::Error error = error_of([&] { Downloader(lab_.context).fetch(both); });
    EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
    EXPECT_NE(error.message().find("the lock"), std::string::npos) << error.message();
    Downloader(lab_.context).fetch(download("/data", "content"));
  }
}

TEST_F(DownloaderTest, ManyAtOnceKeepOrderAndWhatSucceeded) {
  std::vector<Download> many;
  for (int i = 0; i < 20; ++i) {
    const std::string content = "file " + std::to_string(i);
    server_.put("n/" + std::to_string(i), content);
    many.push_back(download("/n/" + std::to_string(i), content));
  }
  const std::vector<artifacts::VerifiedFile> files = Downloader(lab_.context).fetch_all(many);
  for (std::size_t i = 0; i < many.size(); ++i) EXPECT_EQ(files[i].digest(), many[i].promises[0].digest);
  EXPECT_EQ(lab_.progress.details.back(), "20 of 20 files");
  EXPECT_EQ(lab_.progress.amounts.back().done, 130u);
  EXPECT_EQ(lab_.progress.lines, (std::vector<std::string>{"begin download", "done download"}));
  server_.put("n/20", "file 20");
  many.push_back(download("/n/20", "file 20"));
  many.push_back(download("/n/21", "file 21"));
  EXPECT_EQ(error_of([&] { Downloader(lab_.context).fetch_all(many); }).kind(), core::Kind::kFetch);
  EXPECT_EQ(lab_.stored(), 21u);
  EXPECT_EQ(lab_.leftovers(), 0u);
}

TEST_F(DownloaderTest, OfflineNeedsTheCache) {
  server_.put("data", "content");
  lab_.context.network = Network::kOffline;
  const core::Error error = error_of([&] { Downloader(lab_.context).fetch(download("/data", "content")); });
  EXPECT_EQ(error.kind(), core::Kind::kFetch);
  EXPECT_NE(error.message().find("offline"), std::string::npos);
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(DownloaderTest, FoldersOfKilledRunsAreRemoved) {
  // Process numbers end at 4194304 on Linux, so nobody has this one.
  const std::filesystem::path dead = lab_.blobs.staging() / "download.4194305.0123456789ab";
  std::filesystem::create_directories(dead);
  core::write_file_atomically(dead / ".owner", "");
  core::write_file_atomically(dead / "0", "half");
  const Downloader downloader(lab_.context);
  EXPECT_EQ(lab_.leftovers(), 0u);
}

}  // namespace
}  // namespace imgforge::fetch
