// The parts of the server: ranges, requests, paths, validators. The server as a whole is tried with curl in
// tests/functional/export.py.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "builder/serve/answer.hpp"
#include "core/atomic_file.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::serve {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

RangeAnswer part(std::uint64_t first, std::uint64_t count) {
  return {RangeKind::kPart, {first, count}};
}
bool same(const RangeAnswer& a, const RangeAnswer& b) {
  return a.kind == b.kind && a.range == b.range;
}

TEST(ByteRange, OneRange) {
  EXPECT_TRUE(same(parse_range("bytes=0-0", 10), part(0, 1)));
  EXPECT_TRUE(same(parse_range("bytes=2-4", 10), part(2, 3)));
  EXPECT_TRUE(same(parse_range("bytes=2-", 10), part(2, 8)));
  EXPECT_TRUE(same(parse_range("bytes=2-99999999999999999999", 10), part(2, 8)));
  EXPECT_TRUE(same(parse_range("bytes=-3", 10), part(7, 3)));
  EXPECT_TRUE(same(parse_range("bytes=-30", 10), part(0, 10)));
}

TEST(ByteRange, BehindTheEnd) {
  for (const char* text : {"bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999-"})
    EXPECT_EQ(parse_range(text, 10).kind, RangeKind::kUnsatisfiable) << text;
  EXPECT_EQ(parse_range("bytes=-5", 0).kind, RangeKind::kUnsatisfiable);
}

TEST(ByteRange, WhatIsIgnored) {
  for (const char* text : {"", "bytes=", "bytes=-", "bytes=4-2", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b",
                           "bytes=0x1-2", "bytes=+1-2", "bytes=1 - 2"})
    EXPECT_EQ(parse_range(text, 10).kind, RangeKind::kNone) << text;
}

int status_of(const std::string& head) {
  try {
    parse_request(head);
    return 200;
  } catch (const BadRequest& bad) {
    return bad.status;
  }
}

TEST(Request, StrictReading) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 200);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\nHost: a\n\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 501);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), 400);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), 405);
}

TEST(Request, KeepsOpenByVersionAndHeader) {
  EXPECT_TRUE(parse_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
  EXPECT_FALSE(parse_request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(parse_request("GET / HTTP/1.0\r\n\r\n").keep_alive);
}

TEST(Target, IsDecodedAndKeptBelowTheRoot) {
  EXPECT_EQ(parse_target("/a%20b/c.txt?x=1").path, "a b/c.txt");
  EXPECT_EQ(parse_target("//a///b/").path, "a/b");
  EXPECT_TRUE(parse_target("/a/").is_folder);
  EXPECT_EQ(parse_target("http://host/a").path, "a");
  for (const char* text :
       {"/../x", "/a/../../x", "/%2e%2e/x", "/a/%2E./x", "/.imgforge-export", "/a/.git/config"})
    EXPECT_THROW(parse_target(text), BadRequest) << text;
  for (const char* text : {"x", "/%", "/%4", "/%zz", "/a%00b", "*"})
    EXPECT_THROW(parse_target(text), BadRequest) << text;
}

class AnswerTest : public testing::Test {
 protected:
  core::TempDir folder_{fs::temp_directory_path(), "imgforge-serve"};
  fs::path root_ = folder_ / "root";
  StaticFiles files_{root_};

  void SetUp() override {
    fs::create_directories(root_ / "sub");
    write("hello.txt", "hello world");
    write("sub/index.html", "<p>");
    write("odd name.bin", "x");
  }
  void write(const std::string& name, std::string_view text) const {
    const core::Fd fd = core::open_file(root_ / name, O_WRONLY | O_CREAT | O_TRUNC);
    core::write_all(fd.get(), text, name);
  }
  Answer get(const std::string& target, const std::string& headers = "", const std::string& method = "GET") {
    return answer(parse_request(method + " " + target + " HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n"),
                  files_);
  }
  std::string etag(const std::string& target) {
    const std::string head = get(target).head;
    const std::size_t at = head.find("ETag: ") + 6;
    return head.substr(at, head.find('\r', at) - at);
  }
};

TEST_F(AnswerTest, WholeFileAndPart) {
  Answer whole = get("/hello.txt");
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.range, (ByteRange{0, 11}));
  EXPECT_TRUE(whole.file);
  EXPECT_THAT(whole.head, HasSubstr("Content-Type: text/plain; charset=utf-8\r\nContent-Length: 11\r\n"));
  Answer some = get("/hello.txt", "Range: bytes=6-\r\n");
  EXPECT_EQ(some.status, 206);
  EXPECT_THAT(some.head, HasSubstr("Content-Range: bytes 6-10/11\r\n"));
  Answer none = get("/hello.txt", "Range: bytes=11-\r\n");
  EXPECT_EQ(none.status, 416);
  EXPECT_FALSE(none.file);
  EXPECT_THAT(none.head, HasSubstr("Content-Range: bytes */11\r\n"));
}

TEST_F(AnswerTest, HeadHasTheHeadersOnly) {
  Answer reply = get("/hello.txt", "Range: bytes=6-\r\n", "HEAD");
  EXPECT_EQ(reply.status, 200);
  EXPECT_FALSE(reply.file);
  EXPECT_THAT(reply.head, HasSubstr("Content-Length: 11\r\n"));
  EXPECT_EQ(get("/missing", "", "HEAD").body, "");
}

TEST_F(AnswerTest, Conditions) {
  const std::string tag = etag("/hello.txt");
  EXPECT_EQ(get("/hello.txt", "If-None-Match: " + tag + "\r\n").status, 304);
  EXPECT_EQ(get("/hello.txt", "If-None-Match: \"x\", W/" + tag + "\r\n").status, 304);
  EXPECT_EQ(get("/hello.txt", "If-None-Match: *\r\n").status, 304);
  EXPECT_EQ(get("/hello.txt", "If-None-Match: \"x\"\r\n").status, 200);
  EXPECT_EQ(get("/hello.txt", "If-Match: \"x\"\r\n").status, 412);
  EXPECT_EQ(get("/hello.txt", "If-Range: " + tag + "\r\nRange: bytes=6-\r\n").status, 206);
  EXPECT_EQ(get("/hello.txt", "If-Range: \"x\"\r\nRange: bytes=6-\r\n").status, 200);
  EXPECT_EQ(get("/hello.txt", "If-Range: W/" + tag + "\r\nRange: bytes=6-\r\n").status, 200);
  EXPECT_EQ(get("/hello.txt", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n").status, 304);
  EXPECT_EQ(get("/hello.txt", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n").status, 200);
}

TEST_F(AnswerTest, TheDigestIsTheValidatorUntilTheFileChanges) {
  const std::string hex(64, 'a');
  const std::string before = etag("/hello.txt");
  EXPECT_THAT(before, Not(HasSubstr(hex)));
  write("SHA256SUMS", hex + "  hello.txt\n");
  EXPECT_EQ(etag("/hello.txt"), "\"" + hex + "\"");
  write("hello.txt", "HELLO world");
  const timespec times[2] = {{0, UTIME_OMIT}, {4'000'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (root_ / "hello.txt").c_str(), times, 0), 0);
  EXPECT_THAT(etag("/hello.txt"), Not(HasSubstr(hex)));
  EXPECT_NE(etag("/hello.txt"), before);
}

TEST_F(AnswerTest, Folders) {
  EXPECT_EQ(get("/sub").status, 301);
  EXPECT_THAT(get("//sub").head, HasSubstr("Location: /sub/\r\n"));
  EXPECT_EQ(get("/sub/").status, 200);
  EXPECT_EQ(get("/").status, 404);
  EXPECT_EQ(get("/hello.txt/").status, 404);
  EXPECT_EQ(get("/odd%20name.bin").status, 200);
}

TEST_F(AnswerTest, NoLinkLeadsOut) {
  fs::create_symlink("/etc/passwd", root_ / "absolute");
  fs::create_symlink("../secret", root_ / "relative");
  fs::create_directory_symlink("..", root_ / "up");
  fs::create_symlink("hello.txt", root_ / "inside");
  const core::Fd secret = core::open_file(folder_ / "secret", O_WRONLY | O_CREAT);
  EXPECT_EQ(get("/absolute").status, 404);
  EXPECT_EQ(get("/relative").status, 404);
  EXPECT_EQ(get("/up/secret").status, 404);
  EXPECT_EQ(get("/inside").status, 200);
}

TEST_F(AnswerTest, NoLinkLeadsToAHiddenFile) {
  fs::create_directory(root_ / ".git");
  core::write_file_atomically(root_ / ".git/config", "secret");
  core::write_file_atomically(root_ / ".env", "secret");
  fs::create_symlink(".git/config", root_ / "config");
  fs::create_directory_symlink(".git", root_ / "folder");
  fs::create_symlink(".env", root_ / "env");
  for (const char* path : {"/config", "/folder/config", "/env"}) EXPECT_EQ(get(path).status, 404) << path;
}

TEST_F(AnswerTest, WhatIsNoFile) {
  ASSERT_EQ(::mkfifo((root_ / "pipe").c_str(), 0644), 0);
  EXPECT_EQ(get("/pipe").status, 404);
}

}  // namespace
}  // namespace imgforge::serve
