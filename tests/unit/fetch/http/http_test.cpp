#include "builder/fetch/http/http.hpp"

#include <sys/stat.h>

#include <thread>

#include "support/fetch_lab.hpp"
#include "support/servers.hpp"

namespace imgforge::fetch {
namespace {

using testing::error_of;
using testing::FaultServer;
using testing::quick_options;

/// 10 000 bytes that do not compress to nothing.
std::string sample() {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += static_cast<char>((i * 7 + 3) & 255);
  return text;
}

class HttpTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<FaultServer>();
    server_->put("data", sample());
    server_->put("empty", "");
  }
  static void TearDownTestSuite() { server_.reset(); }

  Response fetch(const std::string& path, std::optional<std::uint64_t> size = {}) {
    return http_->fetch(Request{.url = server_->url(path), .limit = 1 << 20, .size = size}, sink_);
  }
  core::Error failure(const std::string& path, std::optional<std::uint64_t> size = {}) {
    return error_of([&] { fetch(path, size); });
  }
  static std::size_t requests_of(const std::string& path) {
    std::size_t count = 0;
    for (const std::string& line : server_->requests())
      count += (line + " ").starts_with("GET " + path + " ") ? 1 : 0;
    return count;
  }

  static std::unique_ptr<FaultServer> server_;
  core::CancelToken cancel_;
  std::unique_ptr<Http> http_ = make_http(quick_options(), cancel_);
  TextSink sink_;
};

std::unique_ptr<FaultServer> HttpTest::server_;

TEST_F(HttpTest, FetchesAndGivesValidators) {
  const Response response = fetch("/data", 10'000);
  EXPECT_EQ(sink_.text(), sample());
  EXPECT_EQ(response.bytes, 10'000u);
  EXPECT_FALSE(response.validators.etag.empty());
  TextSink again;
  const Response unchanged =
      http_->fetch(Request{.url = server_->url("/data"), .known = response.validators}, again);
  EXPECT_EQ(unchanged.freshness, Freshness::kNotModified);
  EXPECT_TRUE(again.text().empty());
  EXPECT_EQ(fetch("/empty").bytes, 0u);
}

TEST_F(HttpTest, FollowsRedirects) {
  const Response response = fetch("/x/to-good/data");
  EXPECT_EQ(sink_.text(), sample());
  EXPECT_EQ(response.final_url, server_->url("/data?token=SECRET"));
}

TEST_F(HttpTest, RepeatsWhatMayPass) {
  fetch("/x/flaky-2/data");
  EXPECT_EQ(sink_.text(), sample());
  EXPECT_EQ(requests_of("/x/flaky-2/data"), 3u);
  fetch("/x/cut-first/data");
  EXPECT_EQ(sink_.text(), sample()) << "the first, cut attempt must leave nothing";
}

TEST_F(HttpTest, StatusIsTheErrorAndTheUrlIsRedacted) {
  TextSink sink;
  const std::string url = "http://u:pw@127.0.0.1:" + server_->url("/nosuch?sig=SECRET").substr(17);
  const core::Error error = error_of([&] { http_->fetch(Request{.url = url}, sink); });
  EXPECT_EQ(error.kind(), core::Kind::kFetch);
  EXPECT_EQ(error.message(), server_->url("/nosuch") + ": HTTP 404");
  EXPECT_TRUE(sink.text().empty());
  EXPECT_EQ(requests_of("/nosuch"), 1u) << "404 does not pass";
  EXPECT_NE(failure("/x/status-500/data").message().find("HTTP 500 (3 attempts)"), std::string::npos);
  EXPECT_NE(failure("/x/status-403/data").message().find("HTTP 403"), std::string::npos);
  EXPECT_TRUE(sink_.text().empty());
}

TEST_F(HttpTest, OtherSuccessesAreFailures) {
  for (const char* path : {"/x/status-204/data", "/x/status-304/data", "/x/status-206/data"}) {
    const core::Error error = failure(path);
    EXPECT_EQ(error.kind(), core::Kind::kFetch) << path;
    EXPECT_NE(error.message().find("instead of the file"), std::string::npos) << error.message();
  }
}

TEST_F(HttpTest, CutAnswersAreSeen) {
  for (const char* path : {"/x/cut/data", "/x/cut-chunked/data", "/x/reset/data"}) {
    const core::Error error = failure(path, 10'000);
    EXPECT_EQ(error.kind(), core::Kind::kFetch) << path << error.message();
    EXPECT_NE(error.message().find("got 5000 of 10000 bytes"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("3 attempts"), std::string::npos) << error.message();
  }
  const core::Error silent = failure("/x/cut-unannounced/data", 10'000);
  EXPECT_EQ(silent.kind(), core::Kind::kIntegrity);
  EXPECT_NE(silent.message().find("expected 10000 bytes, got 5000"), std::string::npos) << silent.message();
}

TEST_F(HttpTest, WrongSizesAreRefusedEarly) {
  const core::Error announced = failure("/x/longer/data", 10'000);
  EXPECT_EQ(announced.kind(), core::Kind::kIntegrity);
  EXPECT_NE(announced.message().find("announces 10001 bytes, 10000 are expected"), std::string::npos);
  EXPECT_TRUE(sink_.text().empty());
  const core::Error endless = failure("/x/endless/data", 10'000);
  EXPECT_EQ(endless.kind(), core::Kind::kIntegrity);
  EXPECT_LE(sink_.text().size(), 10'000u);
  EXPECT_EQ(failure("/x/endless/data").kind(), core::Kind::kUnsafe);
  EXPECT_LE(sink_.text().size(), std::size_t{1} << 20);
  EXPECT_EQ(
      error_of([&] { http_->fetch(Request{.url = server_->url("/data"), .limit = 9'999}, sink_); }).kind(),
      core::Kind::kUnsafe);
}

TEST_F(HttpTest, UnaskedEncodingIsRefused) {
  const core::Error error = failure("/x/gzip/data");
  EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
  EXPECT_NE(error.hint().find("Content-Encoding: gzip"), std::string::npos);
  EXPECT_TRUE(sink_.text().empty());
}

TEST_F(HttpTest, RedirectsAreBounded) {
  const core::Error loop = failure("/x/loop/data");
  EXPECT_EQ(loop.kind(), core::Kind::kFetch);
  EXPECT_NE(loop.message().find("too many redirects"), std::string::npos) << loop.message();
  EXPECT_LE(requests_of("/x/loop/data"), 6u);
  for (const char* path : {"/x/to-file/data", "/x/to-ftp/data"}) {
    const core::Error error = failure(path);
    EXPECT_EQ(error.kind(), core::Kind::kFetch);
    EXPECT_NE(error.message().find("redirect to disallowed scheme"), std::string::npos) << error.message();
    EXPECT_TRUE(sink_.text().empty());
  }
}

TEST_F(HttpTest, PortalsAndHeaderBombsAreRefused) {
  EXPECT_EQ(failure("/x/http09/data").kind(), core::Kind::kFetch);
  const core::Error bomb = failure("/x/headers/data");
  EXPECT_EQ(bomb.kind(), core::Kind::kFetch);
  EXPECT_NE(bomb.message().find("headers are larger than 64 KiB"), std::string::npos) << bomb.message();
  EXPECT_TRUE(sink_.text().empty());
}

TEST_F(HttpTest, SilentAndSlowServersAreGivenUp) {
  HttpOptions options = quick_options();
  options.attempts = 1;
  const std::unique_ptr<Http> once = make_http(options, cancel_);
  TextSink stalled;
  TextSink slow;
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<Result> results = once->run({{Request{.url = server_->url("/x/stall/data")}, &stalled},
                                                 {Request{.url = server_->url("/x/slow/data")}, &slow}},
                                                2);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
  for (const Result& result : results) {
    ASSERT_TRUE(std::holds_alternative<Failure>(result));
    EXPECT_NE(std::get<Failure>(result).error.message().find("stalled"), std::string::npos)
        << std::get<Failure>(result).error.message();
  }
}

TEST_F(HttpTest, UnreachableServers) {
  for (const char* url : {"http://127.0.0.1:1/x", "http://nosuch.invalid/x"}) {
    const core::Error error = error_of([&] { http_->fetch(Request{.url = url}, sink_); });
    EXPECT_EQ(error.kind(), core::Kind::kFetch) << url;
    EXPECT_NE(error.message().find("3 attempts"), std::string::npos) << error.message();
    EXPECT_FALSE(error.hint().empty());
  }
}

TEST_F(HttpTest, ResultsKeepTheirOrderInParallel) {
  std::vector<TextSink> sinks(24);
  std::vector<Transfer> transfers;
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    server_->put("n/" + std::to_string(i), "file " + std::to_string(i));
    const std::string fault = i % 5 == 0 ? "/x/flaky-1" : "";
    transfers.push_back({Request{.url = server_->url(fault + "/n/" + std::to_string(i))}, &sinks[i]});
  }
  transfers[7].request.url = server_->url("/missing");
  const std::vector<Result> results = http_->run(transfers, 8);
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    if (i == 7) {
      ASSERT_TRUE(std::holds_alternative<Failure>(results[i]));
      EXPECT_TRUE(std::get<Failure>(results[i]).absent);
    } else {
      ASSERT_TRUE(std::holds_alternative<Response>(results[i])) << i;
      EXPECT_EQ(sinks[i].text(), "file " + std::to_string(i));
    }
  }
}

TEST_F(HttpTest, CancellingEndsTransfers) {
  std::thread other([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    cancel_.cancel();
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(failure("/x/stall/data").kind(), core::Kind::kInterrupted);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(900));
  other.join();
}

TEST_F(HttpTest, ASinkThatFailsEndsTheCallWithItsError) {
  struct Full : Sink {
    void restart() override {}
    void write(std::span<const std::byte>) override { throw core::Error(core::Kind::kNoSpace, "full"); }
  } full;
  EXPECT_EQ(error_of([&] { http_->fetch(Request{.url = server_->url("/data")}, full); }).kind(),
            core::Kind::kNoSpace);
}

TEST_F(HttpTest, FileSinkLeavesNothing) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-sink");
  {
    FileSink sink(folder / "file");
    http_->fetch(Request{.url = server_->url("/x/cut-first/data")}, sink);
    EXPECT_EQ(core::read_text_file(folder / "file"), sample());
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "file"));
}

TEST_F(HttpTest, FileUrls) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-file-url");
  const auto get = [&](const std::string& url, std::optional<std::uint64_t> size = {}) {
    return http_->fetch(Request{.url = url, .limit = 20'000, .size = size}, sink_);
  };
  EXPECT_EQ(get("file://" + (server_->root() / "data").native(), 10'000).bytes, 10'000u);
  EXPECT_EQ(sink_.text(), sample());
  ::mkfifo((folder / "fifo").c_str(), 0600);
  for (const std::string& path :
       {folder.path().string(), (folder / "fifo").string(), std::string("/dev/zero")}) {
    const core::Error error = error_of([&] { get("file://" + path); });
    EXPECT_EQ(error.kind(), core::Kind::kFetch) << path;
    EXPECT_NE(error.message().find("not a regular file"), std::string::npos) << error.message();
  }
  EXPECT_NE(error_of([&] { get("file:///nosuch/file"); }).message().find("no such file"), std::string::npos);
  EXPECT_EQ(error_of([&] { get("file://" + (server_->root() / "data").native(), 9); }).kind(),
            core::Kind::kIntegrity);
}

TEST(HttpTls, CertificatesAreChecked) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-tls");
  const std::string key = folder / "key.pem";
  const std::string good = folder / "good.pem";
  const std::string other = folder / "other.pem";
  const auto make = [&](const std::string& name, const std::string& file) {
    core::Command command{
        .program = "openssl",
        .args = {"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                 key, "-out", file, "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=" + name},
        .environment = {},
        .directory = {},
        .input = {},
        .output_file = {}};
    core::system_processes().check(command, {});
  };
  core::CancelToken cancel;
  TextSink sink;
  make("IP:127.0.0.1", good);
  {
    const FaultServer server({good, key});
    server.put("data", "secret");
    const std::unique_ptr<Http> strict = make_http(quick_options(), cancel);
    const core::Error unknown =
        error_of([&] { strict->fetch(Request{.url = server.url("/data", "https")}, sink); });
    EXPECT_EQ(unknown.kind(), core::Kind::kFetch);
    EXPECT_NE(unknown.message().find("TLS certificate"), std::string::npos) << unknown.message();
    EXPECT_TRUE(server.requests().empty());
    HttpOptions trusting = quick_options();
    trusting.certificates = good;
    make_http(trusting, cancel)->fetch(Request{.url = server.url("/data", "https")}, sink);
    EXPECT_EQ(sink.text(), "secret");
  }
  make("DNS:other.example", other);
  const FaultServer server({other, key});
  HttpOptions trusting = quick_options();
  trusting.certificates = other;
  const core::Error wrong_host = error_of(
      [&] { make_http(trusting, cancel)->fetch(Request{.url = server.url("/data", "https")}, sink); });
  EXPECT_NE(wrong_host.message().find("TLS certificate"), std::string::npos) << wrong_host.message();
}

}  // namespace
}  // namespace imgforge::fetch
