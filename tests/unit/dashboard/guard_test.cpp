// Who may come in.
#include "builder/dashboard/guard.hpp"

#include <gtest/gtest.h>

namespace imgforge::dashboard {
namespace {

constexpr std::uint16_t kPort = 8777;

Request request(const std::string& method = "GET", const std::string& path = "/api/v1/machines") {
  Request made;
  made.method = method;
  made.path = path;
  made.host = "127.0.0.1:8777";
  return made;
}

Request with_cookie(const Guard& guard, Request made) {
  made.cookie = "other=1; " + guard.cookie().substr(0, guard.cookie().find(';'));
  return made;
}

Request from(const std::string& origin, Request made) {
  made.origin = origin;
  return made;
}

TEST(Guard, NothingIsAnsweredWithoutASecret) {
  const Guard guard(kPort);
  EXPECT_EQ(guard.judge(request()), Verdict::kNoCredential);
  for (const char* wrong : {"Bearer ", "Bearer 00", "Basic x", "bearer"}) {
    Request asked = request();
    asked.authorization = wrong;
    EXPECT_EQ(guard.judge(asked), Verdict::kNoCredential) << wrong;
  }
  Request other = request();
  other.authorization = "Bearer " + Guard(kPort).token();
  EXPECT_EQ(guard.judge(other), Verdict::kNoCredential);
  other.authorization = "Bearer " + guard.token();
  EXPECT_EQ(guard.judge(other), Verdict::kWelcome);
}

TEST(Guard, TheAddressGivesACookieAndNothingElse) {
  const Guard guard(kPort);
  Request opens = request("GET", "/");
  opens.query = "token=" + guard.token();
  EXPECT_EQ(guard.judge(opens), Verdict::kNewSession);
  opens.path = "/api/v1/machines";
  EXPECT_EQ(guard.judge(opens), Verdict::kNoCredential);
  opens.path = "/";
  opens.query = "token=" + std::string(64, '0');
  EXPECT_EQ(guard.judge(opens), Verdict::kNoCredential);
  EXPECT_NE(guard.address().find(guard.token()), std::string::npos);
  EXPECT_EQ(guard.cookie().find(guard.token()), std::string::npos);
  for (const char* word : {"; HttpOnly", "; SameSite=Strict"})
    EXPECT_NE(guard.cookie().find(word), std::string::npos) << word;
}

TEST(Guard, TheCookieOfAnotherPortIsNone) {
  const Guard guard(kPort);
  EXPECT_EQ(guard.judge(with_cookie(guard, request())), Verdict::kWelcome);
  EXPECT_EQ(guard.judge(with_cookie(Guard(kPort), request())), Verdict::kNoCredential);
  EXPECT_EQ(guard.judge(with_cookie(Guard(8778), request())), Verdict::kNoCredential);
}

TEST(Guard, AnotherNameIsRefusedWhateverItKnows) {
  const Guard guard(kPort);
  for (const char* host : {"", "127.0.0.1", "evil.example:8777", "127.0.0.1:8778",
                           "127.0.0.1:8777.evil.example", "[::1]:8777"}) {
    Request asked = with_cookie(guard, request());
    asked.authorization = "Bearer " + guard.token();
    asked.host = host;
    EXPECT_EQ(guard.judge(asked), Verdict::kForeign) << host;
  }
  Request local = with_cookie(guard, request());
  local.host = "localhost:8777";
  EXPECT_EQ(guard.judge(local), Verdict::kWelcome);
}

TEST(Guard, AnotherPageIsRefusedWhateverItKnows) {
  const Guard guard(kPort);
  for (const char* origin : {"null", "http://evil.example", "http://127.0.0.1:8080", "https://127.0.0.1:8777",
                             "http://127.0.0.1:8777.evil.example", "file://"}) {
    Request asked = with_cookie(guard, from(origin, request()));
    asked.authorization = "Bearer " + guard.token();
    EXPECT_EQ(guard.judge(asked), Verdict::kForeign) << origin;
  }
  EXPECT_EQ(guard.judge(with_cookie(guard, from("http://127.0.0.1:8777", request()))), Verdict::kWelcome);
}

TEST(Guard, WithACookieAChangeHasToSayItsOrigin) {
  const Guard guard(kPort);
  for (const char* method : {"POST", "DELETE"}) {
    EXPECT_EQ(guard.judge(with_cookie(guard, request(method))), Verdict::kForeign);
    EXPECT_EQ(guard.judge(with_cookie(guard, from("http://127.0.0.1:8777", request(method)))),
              Verdict::kWelcome);
  }
  Request socket = request();
  socket.upgrades = true;
  EXPECT_EQ(guard.judge(with_cookie(guard, socket)), Verdict::kForeign);
  socket.authorization = "Bearer " + guard.token();
  EXPECT_EQ(guard.judge(socket), Verdict::kWelcome);
}

}  // namespace
}  // namespace imgforge::dashboard
