#include "builder/fetch/http/url.hpp"

#include <gtest/gtest.h>

#include "support/fetch_lab.hpp"

namespace imgforge::fetch {
namespace {

TEST(Url, ShowsNoSecrets) {
  EXPECT_EQ(redacted_url("http://u:pw@h:80/x/y?sig=SECRET#f"), "http://h:80/x/y");
  EXPECT_EQ(redacted_url("https://h?sig=SECRET"), "https://h");
  EXPECT_EQ(redacted_url("https://u@v@h/a@b"), "https://h/a@b");
  EXPECT_EQ(redacted_url("http://h/\x1b[2J"), "http://h/\\x1b[2J");
  EXPECT_EQ(redacted_url("main"), "main");
}

TEST(Url, KnowsThreeSchemes) {
  EXPECT_EQ(check_url("http://h/x"), Scheme::kHttp);
  EXPECT_EQ(check_url("HTTPS://h"), Scheme::kHttps);
  EXPECT_EQ(check_url("file:///x"), Scheme::kFile);
  for (const char* bad :
       {"", "x", "ftp://h/x", "http:///x", "http://", "file://x", "http://h/a b", "http://h/\n"}) {
    EXPECT_EQ(testing::error_of([&] { check_url(bad); }).kind(), core::Kind::kFetch) << bad;
  }
}

TEST(Url, JoinsWithOneSlash) {
  EXPECT_EQ(join_url("http://h/a/", "/b/c"), "http://h/a/b/c");
  EXPECT_EQ(join_url("http://h", "b"), "http://h/b");
}

TEST(Url, FilePaths) {
  EXPECT_EQ(file_url_path("file:///a/b%20c"), "/a/b c");
  EXPECT_EQ(file_url_path("file://localhost/a"), "/a");
  for (const char* bad : {"file://other/a", "file:///a%2", "file:///a%zz", "file:///a%00b"}) {
    EXPECT_EQ(testing::error_of([&] { file_url_path(bad); }).kind(), core::Kind::kFetch) << bad;
  }
}

}  // namespace
}  // namespace imgforge::fetch
