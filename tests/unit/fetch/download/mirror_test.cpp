// Mirrors that fail, ask for patience or send something else; and what is refused before a byte is written.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "builder/fetch/http/http_cache.hpp"
#include "support/download_lab.hpp"

namespace imgforge::fetch {
namespace {

using testing::DownloadLab;
using testing::error_of;
using testing::FaultServer;
using testing::pattern;
using testing::quick_options;

class MirrorTest : public DownloadLab {
 protected:
  void SetUp() override {
    server_.put("data", content_);
    second_.put("data", content_);
    second_.put("more", "more");
    server_.put("more", "more");
  }
  Download on_both(const std::string& first, const std::string& second, std::string_view content) {
    Download wanted = download(first, content);
    wanted.urls.push_back(second_.url(second));
    return wanted;
  }

  const std::string content_ = pattern(10'000);
  FaultServer second_;
};

TEST_F(MirrorTest, AServerThatFailedIsTriedLastForTheRestOfTheRun) {
  expect_good(on_both("/x/status-503/data", "/data", content_), content_);
  const std::size_t asked = server_.requests().size();
  EXPECT_GE(asked, 1u);
  EXPECT_LE(asked, 3u);
  expect_good(on_both("/more", "/more", "more"), "more");
  EXPECT_EQ(server_.requests().size(), asked) << "the second server was asked at once";
  EXPECT_EQ(second_.requests().back(), "GET /more");
}

TEST_F(MirrorTest, IndexesAndFilesShareWhatIsKnownOfServers) {
  CachedRequest index{.what = "the index", .urls = {server_.url("/x/status-503/more"), second_.url("/more")}};
  EXPECT_EQ(HttpCache(lab_.context).get(index).content, "more");
  const std::size_t asked = server_.requests().size();
  index.urls[0] = server_.url("/more");
  EXPECT_EQ(HttpCache(lab_.context).get(index).url, index.urls[1]);
  expect_good(on_both("/data", "/data", content_), content_);
  EXPECT_EQ(server_.requests().size(), asked);
}

TEST_F(MirrorTest, AMissingFileSaysNothingAboutTheServer) {
  expect_good(on_both("/missing", "/data", content_), content_);
  expect_good(on_both("/more", "/more", "more"), "more");
  EXPECT_EQ(server_.requests().back(), "GET /more");
}

TEST_F(MirrorTest, RetryAfterIsHonoured) {
  const auto begin = std::chrono::steady_clock::now();
  expect_good(download("/x/rest-1/data", content_), content_);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, std::chrono::milliseconds(1000));
  EXPECT_LT(took, std::chrono::milliseconds(4000));
  EXPECT_EQ(server_.requests().size(), 2u);
}

TEST_F(MirrorTest, NobodyWaitsWhenAnotherMirrorIsThere) {
  const auto begin = std::chrono::steady_clock::now();
  expect_good(on_both("/x/rest-60/data", "/data", content_), content_);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(900));
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(MirrorTest, AStallIsNoticedAndTheOtherMirrorGoesOn) {
  HttpOptions options = quick_options();
  options.attempts = 1;
  lab_.http = make_http(options, lab_.cancel);
  Context context{*lab_.http, lab_.blobs, lab_.progress, lab_.cancel, lab_.context.cache};
  const Download wanted = on_both("/x/stall/data", "/data", content_);
  const artifacts::VerifiedFile file = Downloader(context).fetch(wanted);
  EXPECT_EQ(core::read_text_file(file.path()), content_);
  EXPECT_EQ(second_.requests().back(), "GET /data bytes=100-9999");
}

TEST_F(MirrorTest, APortalIsCalledByItsName) {
  const core::Error error = failure(download("/x/portal/data", content_));
  EXPECT_EQ(error.kind(), core::Kind::kFetch);
  EXPECT_NE(error.message().find("an HTML page came instead of the file"), std::string::npos)
      << error.message();
  EXPECT_NE(error.hint().find("login"), std::string::npos) << error.hint();
  EXPECT_TRUE(partial(".part").empty());
  server_.put("page.html", "<!DOCTYPE html><title>a page</title>");
  expect_good(download("/page.html", "<!DOCTYPE html><title>a page</title>"),
              "<!DOCTYPE html><title>a page</title>");
}

TEST_F(MirrorTest, WrongBytesAreKeptAsideAndNamed) {
  const core::Error error = failure(download("/x/flip/data", content_));
  ASSERT_EQ(partial(".rejected").size(), 1u);
  EXPECT_NE(error.hint().find(partial(".rejected")[0].native()), std::string::npos) << error.hint();
  EXPECT_EQ(std::filesystem::file_size(partial(".rejected")[0]), content_.size());
  EXPECT_TRUE(partial(".part").empty());
  for (int i = 0; i < 6; ++i) {
    const std::string content = "file " + std::to_string(i);
    server_.put("n" + std::to_string(i), content);
    failure(download("/x/flip/n" + std::to_string(i), content));
  }
  EXPECT_EQ(partial(".rejected").size(), 3u) << "only the newest stay";
}

TEST_F(MirrorTest, SpaceIsCheckedBeforeAnythingIsFetched) {
  Download wanted = download("/data", content_);
  wanted.size = std::uint64_t{1} << 60;
  wanted.limit = std::uint64_t{1} << 61;
  const core::Error error = failure(wanted);
  EXPECT_EQ(error.kind(), core::Kind::kNoSpace);
  EXPECT_NE(error.message().find("has room for"), std::string::npos) << error.message();
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(MirrorTest, ADiskThatFillsUpKeepsWhatThereIs) {
  struct FullAfter {
    rlimit before{};
    explicit FullAfter(rlim_t bytes) {
      ::signal(SIGXFSZ, SIG_IGN);
      ::getrlimit(RLIMIT_FSIZE, &before);
      const rlimit now{bytes, before.rlim_max};
      ::setrlimit(RLIMIT_FSIZE, &now);
    }
    ~FullAfter() { ::setrlimit(RLIMIT_FSIZE, &before); }
  };
  {
    const FullAfter full(9'000);
    EXPECT_EQ(failure(download("/x/rate-20000/data", content_)).kind(), core::Kind::kNoSpace);
  }
  ASSERT_EQ(partial(".part").size(), 1u);
  const std::uintmax_t kept = std::filesystem::file_size(partial(".part")[0]);
  EXPECT_GT(kept, 0u);
  expect_good(download("/data", content_), content_);
  EXPECT_EQ(server_.requests().back(), "GET /data bytes=" + std::to_string(kept) + "-9999");
}

TEST_F(MirrorTest, AReadOnlyCacheServesWhatItHas) {
  if (::geteuid() == 0) {
    // root writes anywhere: a file where the folder should be stands in for a folder that cannot be written.
    expect_good(download("/data", content_), content_);
    std::filesystem::remove_all(lab_.context.cache / "partial");
    core::write_file_atomically(lab_.context.cache / "partial", "");
  }
  expect_good(download("/data", content_), content_);
  EXPECT_EQ(server_.requests().size(), 1u);
  const core::Error error = failure(download("/more", "more"));
  EXPECT_NE(error.message().find("partial"), std::string::npos) << error.message();
}

TEST_F(MirrorTest, TheRateIsLimited) {
  HttpOptions options = quick_options();
  options.rate = 200'000;
  lab_.http = make_http(options, lab_.cancel);
  Context context{*lab_.http, lab_.blobs, lab_.progress, lab_.cancel, lab_.context.cache};
  const std::string large = pattern(300'000);
  server_.put("one", large);
  server_.put("two", large.substr(1));
  const auto begin = std::chrono::steady_clock::now();
  Downloader(context).fetch_all({download("/one", large), download("/two", large.substr(1))});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_GT(seconds, 1.8) << "600 kB at 200 kB/s";
  EXPECT_LT(seconds, 6.0);
}

}  // namespace
}  // namespace imgforge::fetch
