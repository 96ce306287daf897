// Downloads that stop and go on: within a run, in the next one, after a kill, and with servers that make it
// hard.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "core/json.hpp"
#include "support/download_lab.hpp"

namespace imgforge::fetch {
namespace {

using testing::DownloadLab;
using testing::pattern;
using testing::quick_options;

class ResumeTest : public DownloadLab {
 protected:
  void SetUp() override { server_.put("data", content_); }

  /// A run in which the server cuts the first answer and then is gone: half of the file stays.
  void stop_half_way(const std::string& path = "/x/cut/data") {
    Download wanted = download(path, content_);
    wanted.urls = {server_.url("/x/no-such-fault/gone"), server_.url(path)};
    HttpOptions once = quick_options();
    once.attempts = 1;
    const std::unique_ptr<Http> http = make_http(once, lab_.cancel);
    Context context{*http, lab_.blobs, lab_.progress, lab_.cancel, lab_.context.cache};
    const core::Error error = testing::error_of([&] { Downloader(context).fetch(wanted); });
    EXPECT_NE(error.hint().find("are kept, the next run goes on from there"), std::string::npos)
        << error.hint();
    ASSERT_EQ(partial(".part").size(), 1u);
    ASSERT_EQ(std::filesystem::file_size(partial(".part")[0]), 5000u);
    requests_ = server_.requests().size();
  }
  core::Json record() const {
    return core::parse_json(core::read_text_file(partial(".json").at(0)), "record");
  }
  void write_record(const core::Json& json) const {
    core::write_file_atomically(partial(".json").at(0), core::print_json(json));
  }

  const std::string content_ = pattern(10'000);
  std::size_t requests_ = 0;
};

TEST_F(ResumeTest, TheNextRunAsksForTheRestOnly) {
  stop_half_way();
  record_reports();
  expect_good(download("/data", content_), content_);
  EXPECT_EQ(ranges_since(requests_), std::vector<std::string>{"bytes=5000-9999"});
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_EQ(reports_[0].resumed, 5000u);
  EXPECT_EQ(reports_[0].transferred, 5000u);
  EXPECT_TRUE(partial(".part").empty());
  EXPECT_TRUE(partial(".json").empty());
}

TEST_F(ResumeTest, AClockThatWasWrongCostsNothing) {
  stop_half_way();
  const auto now = std::filesystem::file_time_type::clock::now();
  const auto set = [&](const std::string& ending, std::chrono::hours age) {
    std::filesystem::last_write_time(partial(ending).at(0), now - age);
  };
  constexpr std::chrono::hours kDay{24};
  const std::chrono::hours ages[] = {20'000 * kDay,
                                     31 * kDay};  // begun before the clock was set; a clock that jumped
  for (const auto age : ages) {
    set(".part", age);
    set(".json", age);
    for (int run = 0; run < 3; ++run) Downloader another(lab_.context);
    ASSERT_EQ(partial(".part").size(), 1u);
  }
  set(".json", -3650 * kDay);  // noticed while the clock was years ahead
  Downloader again(lab_.context);
  ASSERT_EQ(partial(".part").size(), 1u);
  expect_good(download("/data", content_), content_);
  EXPECT_EQ(ranges_since(requests_), std::vector<std::string>{"bytes=5000-9999"});
}

TEST_F(ResumeTest, WhatIsOldTwiceIsForgotten) {
  stop_half_way();
  const auto now = std::filesystem::file_time_type::clock::now();
  constexpr std::chrono::hours kDay{24};
  std::filesystem::last_write_time(partial(".part").at(0), now - 45 * kDay);
  std::filesystem::last_write_time(partial(".json").at(0), now - 6 * kDay);
  { Downloader early(lab_.context); }
  ASSERT_EQ(partial(".part").size(), 1u);
  std::filesystem::last_write_time(partial(".json").at(0), now - 8 * kDay);
  { Downloader late(lab_.context); }
  EXPECT_TRUE(partial(".part").empty());
  EXPECT_TRUE(partial(".json").empty());
}

TEST_F(ResumeTest, AServerThatKeepsCuttingIsAskedAsLongAsBytesCome) {
  expect_good(download("/x/halves/data", content_), content_);
  const std::vector<std::string> ranges = ranges_since(0);
  EXPECT_GT(ranges.size(), 10u) << "each answer brought half of the rest";
  EXPECT_EQ(ranges[1], "bytes=5000-9999");
  EXPECT_EQ(ranges[2], "bytes=7500-9999");
}

TEST_F(ResumeTest, WithoutProgressAServerIsGivenUp) {
  // It offers no ranges, so every attempt begins anew and brings nothing new.
  const core::Error error = failure(download("/x/cut/data", content_));
  EXPECT_EQ(error.kind(), core::Kind::kFetch);
  EXPECT_NE(error.message().find("got 5000 of 10000 bytes"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("attempts)"), std::string::npos) << error.message();
  EXPECT_LE(server_.requests().size(), 8u);
}

TEST_F(ResumeTest, AnswersThatAreNoSuchPartAreNeverSpliced) {
  for (const char* kind : {"whole", "bare", "early", "behind", "multi", "416", "garbage"}) {
    lab_.blobs.find(testing::sha256_of(content_));
    std::filesystem::remove_all(lab_.blobs.root() / "sha256");
    const std::size_t before = server_.requests().size();
    expect_good(download(std::string("/x/part-") + kind + "/data", content_), content_);
    const std::vector<std::string> ranges = ranges_since(before);
    EXPECT_LE(ranges.size(), 3u) << kind;
    EXPECT_EQ(ranges[1], "bytes=5000-9999") << kind;
  }
}

TEST_F(ResumeTest, AnotherSizeOfTheWholeIsARefusal) {
  Download wanted = download("/x/part-total/data", content_);
  wanted.size = 10'000;
  const core::Error error = failure(wanted);
  EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
}

TEST_F(ResumeTest, AnotherTotalIsSaid) {
  stop_half_way();
  Download wanted = download("/x/part-total/data", content_);
  wanted.size = 10'000;
  const core::Error error = failure(wanted);
  EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
  EXPECT_NE(error.message().find("reports a file of 30000 bytes, 10000 are expected"), std::string::npos)
      << error.message();
}

TEST_F(ResumeTest, WrongBytesInARightPartAreFoundAndFetchedAnew) {
  stop_half_way();
  expect_good(download("/x/part-wrong/data", content_), content_);
  EXPECT_EQ(ranges_since(requests_).at(0), "bytes=5000-9999");
  ASSERT_FALSE(lab_.progress.warnings.empty());
  EXPECT_NE(lab_.progress.warnings[0].find("fetching it anew"), std::string::npos);
}

TEST_F(ResumeTest, WrongBytesInARightPartOfTheSameRunCostOneMoreDownload) {
  const std::size_t before = server_.requests().size();
  expect_good(download("/x/part-wrong/data", content_), content_);
  EXPECT_EQ(ranges_since(before), (std::vector<std::string>{"", "bytes=5000-9999", ""}));
}

TEST_F(ResumeTest, AFileThatChangedOnTheServerBeginsAnew) {
  // No digest is promised: only the validator says whether the bytes belong together.
  Download wanted{.name = "thing", .urls = {server_.url("/x/halves/data")}};
  HttpOptions once = quick_options();
  once.attempts = 1;
  lab_.http = make_http(once, lab_.cancel);
  Context context{*lab_.http, lab_.blobs, lab_.progress, lab_.cancel, lab_.context.cache};
  const std::string other = pattern(9'000);
  {
    // The first answer is cut and then the server goes away in mid-file.
    core::CancelToken cancel;
    Context stopped = context;
    wanted.urls = {server_.url("/x/rate-4000/data")};
    std::thread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(900));
      cancel.cancel();
    });
    const std::unique_ptr<Http> http = make_http(once, cancel);
    Context run{*http, lab_.blobs, lab_.progress, cancel, lab_.context.cache};
    EXPECT_EQ(testing::error_of([&] { Downloader(run).fetch(wanted); }).kind(), core::Kind::kInterrupted);
    stopper.join();
  }
  ASSERT_EQ(partial(".part").size(), 1u);
  server_.put("data", other);
  const std::size_t before = server_.requests().size();
  const artifacts::VerifiedFile file = Downloader(context).fetch(wanted);
  EXPECT_EQ(core::read_text_file(file.path()), other);
  const std::vector<std::string> ranges = ranges_since(before);
  ASSERT_EQ(ranges.size(), 1u) << "If-Range makes the server send the new file at once";
  EXPECT_NE(ranges[0], "");
}

TEST_F(ResumeTest, WithoutValidatorAndDigestNothingIsResumed) {
  Download wanted{.name = "thing", .urls = {server_.url("/x/cut-first/data")}};
  const artifacts::VerifiedFile file = Downloader(lab_.context).fetch(wanted);
  EXPECT_EQ(core::read_text_file(file.path()), content_);
  EXPECT_EQ(ranges_since(0), (std::vector<std::string>{"", ""}));
}

TEST_F(ResumeTest, ACompletePartNeedsNoRequest) {
  stop_half_way();
  core::Json json = record();
  json["total"] = 10'000;
  core::write_file_atomically(partial(".part")[0], content_);
  write_record(json);
  expect_good(download("/data", content_), content_);
  EXPECT_EQ(server_.requests().size(), requests_);
}

TEST_F(ResumeTest, APartThatIsTooLongOrWrongIsNotBelieved) {
  for (const std::string& bytes : {content_ + "more", pattern(12'000).substr(3)}) {
    std::filesystem::remove_all(lab_.blobs.root() / "sha256");
    stop_half_way();
    core::Json json = record();
    json["total"] = 10'000;
    core::write_file_atomically(partial(".part")[0], bytes);
    write_record(json);
    expect_good(download("/data", content_), content_);
  }
}

TEST_F(ResumeTest, ASpoiledRecordMeansABeginningAnew) {
  const auto spoil = [&](const std::string& text) {
    std::filesystem::remove_all(lab_.blobs.root() / "sha256");
    stop_half_way();
    core::write_file_atomically(partial(".json").at(0), text);
    expect_good(download("/data", content_), content_);
    EXPECT_EQ(ranges_since(requests_), std::vector<std::string>{""}) << text;
  };
  spoil("");
  spoil("{");
  spoil("[]");
  spoil("{\"schema\": 1, \"boot\": \"x\", \"durable\": [[\"a\", {}]]}");
  spoil("{\"schema\": 99}");
}

TEST_F(ResumeTest, AfterARestartOfTheMachineOnlyWhatTheDiskHoldsCounts) {
  stop_half_way();
  core::Json json = record();
  json["boot"] = "an earlier start\n";
  json["durable"] = {{0, 2000}};
  write_record(json);
  // What was not synced came back as zeros.
  std::string bytes = content_.substr(0, 5000);
  std::fill(bytes.begin() + 2000, bytes.end(), '\0');
  core::write_file_atomically(partial(".part")[0], bytes);
  expect_good(download("/data", content_), content_);
  EXPECT_EQ(ranges_since(requests_), std::vector<std::string>{"bytes=2000-9999"});
}

TEST_F(ResumeTest, AScatteredRecordListsWhatIsThere) {
  stop_half_way();
  core::Json json = record();
  json["scattered"] = true;
  json["total"] = 10'000;
  json["written"] = {{0, 1000}, {4000, 5000}};
  std::string bytes = content_.substr(0, 5000);
  std::fill(bytes.begin() + 1000, bytes.begin() + 4000, '\0');
  core::write_file_atomically(partial(".part")[0], bytes);
  write_record(json);
  expect_good(download("/data", content_), content_);
  EXPECT_EQ(ranges_since(requests_), (std::vector<std::string>{"bytes=1000-3999", "bytes=5000-9999"}));
}

TEST_F(ResumeTest, AnotherMirrorGoesOnWithWhatTheFirstBegan) {
  Download wanted = download("/x/cut/data", content_);
  wanted.urls.push_back(server_.url("/data"));
  expect_good(wanted, content_);
  const std::vector<std::string> ranges = ranges_since(0);
  EXPECT_EQ(ranges.back(), "bytes=5000-9999");
}

TEST_F(ResumeTest, AKilledRunIsContinued) {
  const Download wanted = download("/x/rate-4000/data", content_);
  const pid_t child = ::fork();
  if (child == 0) {
    core::CancelToken cancel;
    const std::unique_ptr<Http> http = make_http(quick_options(), cancel);
    artifacts::BlobStore blobs(lab_.blobs.root());
    Context context{*http, blobs, core::no_progress(), cancel, lab_.context.cache};
    Downloader(context).fetch(wanted);
    ::_exit(0);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(partial(".part").size(), 1u);
  const std::uintmax_t there = std::filesystem::file_size(partial(".part")[0]);
  EXPECT_GT(there, 1000u);
  const std::size_t before = server_.requests().size();
  expect_good(download("/data", content_), content_);
  EXPECT_EQ(ranges_since(before), std::vector<std::string>{"bytes=" + std::to_string(there) + "-9999"});
}

}  // namespace
}  // namespace imgforge::fetch
