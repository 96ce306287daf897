// One file in several ranges at once, and one file for several downloaders.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "support/download_lab.hpp"

namespace imgforge::fetch {
namespace {

using testing::DownloadLab;
using testing::FaultServer;
using testing::pattern;

class SpreadTest : public DownloadLab {
 protected:
  void SetUp() override {
    server_.put("data", content_);
    lab_.context.spread_from = 1 << 20;
  }
  double timed(const Download& wanted) {
    const auto begin = std::chrono::steady_clock::now();
    expect_good(wanted, content_);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  const std::string content_ = pattern(3 << 20);
};

TEST_F(SpreadTest, ASlowServerIsAskedForRangesAtOnce) {
  const double alone = static_cast<double>(content_.size()) / 500e3;
  EXPECT_LT(timed(download("/x/rate-500000/data", content_)), alone / 2);
  const std::vector<std::string> ranges = ranges_since(0);
  EXPECT_GE(ranges.size(), 4u);
  EXPECT_EQ(ranges[0], "");
  EXPECT_NE(ranges[1], "");
}

TEST_F(SpreadTest, AFastServerIsAskedOnce) {
  timed(download("/data", content_));
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(SpreadTest, WithoutADigestRangesAreNotMixed) {
  Download wanted = download("/x/rate-2000000/data", content_);
  wanted.promises.clear();
  timed(wanted);
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(SpreadTest, MirrorsShareTheWork) {
  const FaultServer second;
  second.put("data", content_);
  Download wanted = download("/x/rate-500000/data", content_);
  wanted.urls.push_back(second.url("/x/rate-500000/data"));
  timed(wanted);
  EXPECT_GE(second.requests().size(), 2u);
  EXPECT_GE(server_.requests().size(), 2u);
}

TEST_F(SpreadTest, AMirrorThatDiesInTheMiddleCostsOnlyItsRange) {
  Download wanted = download("/x/rate-500000/data", content_);
  {
    const FaultServer second;
    second.put("data", content_);
    wanted.urls.push_back(second.url("/x/halves/data"));
    timed(wanted);
    EXPECT_FALSE(second.requests().empty());
  }
}

TEST_F(SpreadTest, AnETagThatChangesBetweenRangesIsNeverSpliced) {
  // Each answer names another version: ranges cannot belong together, one whole stream can.
  timed(download("/x/new-etag/data", content_));
  const std::vector<std::string> ranges = ranges_since(0);
  EXPECT_GE(ranges.size(), 2u) << "it was tried";
}

TEST_F(SpreadTest, AServerThatIgnoresRangesEndsAsOneStream) {
  record_reports();
  timed(download("/x/whole-1500000/data", content_));
  const std::vector<std::string> ranges = ranges_since(0);
  EXPECT_GE(ranges.size(), 2u) << "it was tried";
  EXPECT_LE(ranges.size(), 4u) << "with no more than the connections of one file";
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_EQ(reports_[0].transferred, content_.size()) << "the first stream went on to the end";
}

TEST_F(SpreadTest, WrongBytesFromOneOfTheMirrorsAreFetchedAnew) {
  const FaultServer second;
  std::string wrong = content_;
  for (char& byte : wrong) byte = static_cast<char>(byte ^ 1);
  second.put("data", wrong);
  Download wanted = download("/x/rate-1500000/data", content_);
  wanted.urls.push_back(second.url("/x/rate-1500000/data"));
  timed(wanted);
  ASSERT_FALSE(lab_.progress.warnings.empty());
  EXPECT_NE(lab_.progress.warnings[0].find("fetching it anew"), std::string::npos)
      << lab_.progress.warnings[0];
}

TEST_F(SpreadTest, TheSameFileTwiceInOneCallIsFetchedOnce) {
  Downloader(lab_.context).fetch_all({download("/data", content_), download("/data", content_)});
  EXPECT_EQ(server_.requests().size(), 1u);
}

class SharingTest : public SpreadTest {
 protected:
  /// A process that fetches the file and says how it ended.
  pid_t fetch_in_child(const Download& wanted) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    int code = 1;
    try {
      core::CancelToken cancel;
      const std::unique_ptr<Http> http = make_http(testing::quick_options(), cancel);
      artifacts::BlobStore blobs(lab_.blobs.root());
      Context context{*http, blobs, core::no_progress(), cancel, lab_.context.cache};
      code = Downloader(context).fetch(wanted).size() == content_.size() ? 0 : 2;
    } catch (...) {
    }
    ::_exit(code);
  }
  static int wait_for(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }
};

TEST_F(SharingTest, TwoProcessesShareOneDownload) {
  const Download wanted = download("/x/rate-3000000/data", content_);
  const pid_t one = fetch_in_child(wanted);
  const pid_t two = fetch_in_child(wanted);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  record_reports();
  expect_good(wanted, content_);
  EXPECT_EQ(wait_for(one), 0);
  EXPECT_EQ(wait_for(two), 0);
  EXPECT_EQ(server_.requests().size(), 1u);
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_EQ(reports_[0].from, FetchReport::From::kAnotherRun);
  const auto said = [](const std::string& text) {
    return text.find("waiting for another imgforge") != std::string::npos;
  };
  EXPECT_TRUE(std::any_of(lab_.progress.details.begin(), lab_.progress.details.end(), said));
}

TEST_F(SharingTest, WhenTheFirstDiesTheSecondTakesOver) {
  const Download wanted = download("/x/rate-2000000/data", content_);
  const pid_t first = fetch_in_child(wanted);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  std::thread killer([first] {
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    ::kill(first, SIGKILL);
    ::waitpid(first, nullptr, 0);
  });
  expect_good(download("/data", content_), content_);
  killer.join();
  const std::vector<std::string> ranges = ranges_since(0);
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_NE(ranges[1], "") << "it went on where the first stopped";
}

}  // namespace
}  // namespace imgforge::fetch
