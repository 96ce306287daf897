// What goes through a WebSocket, and its bounds.
#include "builder/dashboard/session.hpp"

#include <gtest/gtest.h>

#include "builder/dashboard/relay.hpp"

namespace imgforge::dashboard {
namespace {

using Kind = Outbox::Kind;

TEST(Outbox, KeepsTheOrderAndJoinsBytes) {
  Outbox out;
  EXPECT_TRUE(out.push(Kind::kText, "{}"));
  EXPECT_TRUE(out.push(Kind::kBytes, "abc"));
  EXPECT_TRUE(out.push(Kind::kBytes, "def"));
  EXPECT_EQ(out.kind(), Kind::kText);
  EXPECT_EQ(out.next(1), "{}") << "a text is one message";
  out.pop(2);
  EXPECT_EQ(out.kind(), Kind::kBytes);
  EXPECT_EQ(out.next(4), "abcd");
  out.pop(4);
  EXPECT_EQ(out.next(4), "ef");
  out.pop(2);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(out.size(), 0U);
}

TEST(Outbox, IsFullAtItsBound) {
  Outbox out;
  const std::string half(Outbox::kMost / 2, 'x');
  EXPECT_TRUE(out.push(Kind::kText, half));
  EXPECT_TRUE(out.push(Kind::kText, half));
  EXPECT_FALSE(out.push(Kind::kText, "x"));
  out.pop(half.size());
  EXPECT_TRUE(out.push(Kind::kText, "x"));
}

Session console() {
  Session session;
  session.purpose = Purpose::kConsole;
  return session;
}

TEST(Relay, TheConsoleBeginsWithWhoWrites) {
  Session session = console();
  EXPECT_TRUE(take_from_peer(session, "{\"return\":{\"wri"));
  EXPECT_TRUE(session.out.empty());
  EXPECT_TRUE(take_from_peer(session, "tes\":true}}\nSeaBIOS\n"));
  EXPECT_EQ(session.out.next(100), "{\"writes\":true}");
  session.out.pop(15);
  EXPECT_EQ(session.out.next(100), "SeaBIOS\n");
}

TEST(Relay, WhatIsNoConsoleIsRefused) {
  for (const char* said : {"{}\n", "{\"error\":{}}\n", "[\n", "{\"return\":{\"writes\":1}}\n"}) {
    Session session = console();
    EXPECT_FALSE(take_from_peer(session, said)) << said;
  }
  Session session = console();
  EXPECT_FALSE(take_from_peer(session, std::string(10000, 'x')));
}

TEST(Relay, TheScreenIsPassedOnAsItIs) {
  Session session;
  session.purpose = Purpose::kScreen;
  EXPECT_TRUE(take_from_peer(session, "RFB 003.008\n"));
  EXPECT_EQ(session.out.next(100), "RFB 003.008\n");
}

}  // namespace
}  // namespace imgforge::dashboard
