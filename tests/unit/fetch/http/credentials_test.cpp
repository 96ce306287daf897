#include "builder/fetch/http/credentials.hpp"

#include <sys/stat.h>

#include <cstdlib>

#include "support/download_lab.hpp"

namespace imgforge::fetch {
namespace {

using testing::error_of;
using testing::FaultServer;
using testing::quick_options;

class CredentialsTest : public ::testing::Test {
 protected:
  std::filesystem::path secret_file(const std::string& text, unsigned mode = 0600) {
    const std::filesystem::path file = folder_ / ("file" + std::to_string(count_++));
    core::write_file_atomically(file, text, mode);
    return file;
  }
  std::unique_ptr<Http> http_with(const Credentials& credentials) {
    HttpOptions options = quick_options();
    options.credentials = std::make_shared<Credentials>(credentials);
    return make_http(options, cancel_);
  }

  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-credentials"};
  core::CancelToken cancel_;
  int count_ = 0;
};

TEST_F(CredentialsTest, TokensBelongToOneHost) {
  Credentials credentials;
  credentials.add_token_file(secret_file("# models\n\nHuggingFace.co  hf_abc\n127.0.0.1 local\n"));
  ASSERT_NE(credentials.token("https://huggingface.co/x"), nullptr);
  EXPECT_EQ(*credentials.token("https://huggingface.co:443/x"), "hf_abc");
  EXPECT_EQ(credentials.token("https://cdn.huggingface.co/x"), nullptr);
  EXPECT_EQ(credentials.token("https://huggingface.co@evil.example/x"), nullptr);
  EXPECT_EQ(credentials.token("http://huggingface.co/x"), nullptr) << "never in the clear";
  EXPECT_NE(credentials.token("http://127.0.0.1:8080/x"), nullptr) << "nothing leaves this machine";
}

TEST_F(CredentialsTest, FilesThatOthersCanReadAreRefused) {
  Credentials credentials;
  const core::Error open = error_of([&] { credentials.add_token_file(secret_file("a b\n", 0644)); });
  EXPECT_EQ(open.kind(), core::Kind::kPermission);
  EXPECT_NE(open.hint().find("chmod 600"), std::string::npos);
  credentials.add_netrc(secret_file("machine a login b password c\nmachine d login e\n", 0640));
  EXPECT_EQ(error_of([&] { credentials.login("https://a/x"); }).kind(), core::Kind::kPermission);
  EXPECT_NE(credentials.login("https://d/x"), nullptr) << "no secret is in it";
  EXPECT_EQ(credentials.login("https://other/x"), nullptr) << "whoever does not need it is not stopped";
}

TEST_F(CredentialsTest, MalformedLinesAreNamedByNumberOnly) {
  Credentials credentials;
  for (const char* text : {"ok fine\nhost-without-token\n", "ok fine\nhost two SECRET\n",
                           "ok fine\nhttps://host/ SECRET\n", "ok fine\nhost SEC\tRET\n"}) {
    const core::Error error = error_of([&] { credentials.add_token_file(secret_file(text)); });
    EXPECT_EQ(error.kind(), core::Kind::kUsage) << text;
    EXPECT_NE(error.message().find("line 2"), std::string::npos) << error.message();
    EXPECT_EQ(error.message().find("SEC"), std::string::npos) << error.message();
  }
}

TEST_F(CredentialsTest, NetrcIsReadAsOthersReadIt) {
  Credentials credentials;
  credentials.add_netrc(
      secret_file("machine one login a password b\n"
                  "macdef init\nmachine evil login x password y\n\n"
                  "machine\n  two\n  login c account z\n  password d # words\n"
                  "default login anonymous password user@\n"));
  ASSERT_NE(credentials.login("https://one/x"), nullptr);
  EXPECT_EQ(credentials.login("https://one/x")->password, "b");
  ASSERT_NE(credentials.login("http://two:80/x"), nullptr);
  EXPECT_EQ(credentials.login("http://two/x")->user, "c");
  EXPECT_EQ(credentials.login("http://two/x")->password, "d");
  EXPECT_EQ(credentials.login("https://evil/x")->user, "anonymous") << "a macro is no entry";
  EXPECT_EQ(credentials.login("https://u:p@one/x"), nullptr) << "the URL's own login counts";
}

TEST_F(CredentialsTest, TheyAreSentToTheHostAndNotWhereItRedirects) {
  const FaultServer server;
  const FaultServer other;
  server.put("data", "content");
  other.put("data", "content");
  Credentials token;
  token.add_token_file(secret_file("127.0.0.1 SECRET\n"));
  Credentials login;
  login.add_netrc(secret_file("machine 127.0.0.1 login me password SECRET\n"));
  for (const Credentials& credentials : {token, login}) {
    TextSink sink;
    const std::unique_ptr<Http> http = http_with(credentials);
    http->fetch(Request{.url = server.url("/x/secret/data")}, sink);
    EXPECT_EQ(sink.text(), "content");
    EXPECT_EQ(server.requests().back(), "GET /x/secret/data authorised");
    http->fetch(Request{.url = server.url("/x/to-" + std::to_string(other.port()) + "/data")}, sink);
    EXPECT_EQ(sink.text(), "content");
    EXPECT_EQ(other.requests().back(), "GET /data") << "another port is another server";
  }
  TextSink sink;
  const core::Error error =
      error_of([&] { http_with({})->fetch(Request{.url = server.url("/x/secret/data")}, sink); });
  EXPECT_NE(error.message().find("HTTP 401"), std::string::npos) << error.message();
}

TEST_F(CredentialsTest, TheEnvironmentNamesTheFiles) {
  ::setenv("IMGFORGE_TOKEN_FILE", secret_file("one tok\n").c_str(), 1);
  ::setenv("NETRC", secret_file("machine two login a password b\n").c_str(), 1);
  const Credentials credentials = credentials_from_environment();
  EXPECT_NE(credentials.token("https://one/"), nullptr);
  EXPECT_NE(credentials.login("https://two/"), nullptr);
  ::setenv("IMGFORGE_TOKEN_FILE", (folder_ / "missing").c_str(), 1);
  EXPECT_THROW(credentials_from_environment(), core::Error);
  ::unsetenv("IMGFORGE_TOKEN_FILE");
  ::unsetenv("NETRC");
}

TEST_F(CredentialsTest, ProxyVariablesCount) {
  const FaultServer proxy;
  proxy.put("data", "by proxy");
  ::setenv("http_proxy", proxy.url("").c_str(), 1);
  TextSink sink;
  make_http(quick_options(), cancel_)->fetch(Request{.url = "http://mirror.invalid/data"}, sink);
  EXPECT_EQ(sink.text(), "by proxy");
  ::setenv("no_proxy", "mirror.invalid", 1);
  EXPECT_THROW(make_http(quick_options(), cancel_)->fetch(Request{.url = "http://mirror.invalid/data"}, sink),
               core::Error);
  ::unsetenv("http_proxy");
  ::unsetenv("no_proxy");
}

}  // namespace
}  // namespace imgforge::fetch
