#include "builder/fetch/apk/repository/package_closure.hpp"

#include <gtest/gtest.h>

#include "support/fetch_lab.hpp"

namespace imgforge::fetch {
namespace {

using testing::error_of;

std::string record(const std::string& name, const std::string& rest = "") {
  return "C:Q1" + std::string("2jmj7l5rSw0yVb/vlWAYkK/YBwk=") + "\nP:" + name +
         "\nV:1.0-r0\nA:x86_64\nS:10\nI:20\nT:x\nU:x\nL:MIT\n" + rest + "\n";
}

class Closure : public ::testing::Test {
 protected:
  std::vector<std::string> names(const std::vector<recipe::Marked>& world) const {
    std::vector<std::string> out;
    for (const IndexEntry* entry : package_closure(index_, world, "alpine-virt 3.22.2"))
      out.push_back(entry->name);
    return out;
  }
  Index index_ = Index::parse(
      record("base", "D:libc so:libz.so.1 !old\n") + record("libc") + record("zlib", "p:so:libz.so.1=1.3\n") +
          record("jq", "D:libc>=1\n") + record("jq-doc", "i:docs jq\n") + record("docs") +
          record("broken", "D:gone\n") + record("loop", "D:loop2\n") + record("loop2", "D:loop\n"),
      "x86_64", "index");
};

using Names = std::vector<std::string>;

TEST_F(Closure, FollowsNamesProvidesAndConditions) {
  EXPECT_EQ(names({{"base", {}}}), (Names{"base", "libc", "zlib"}));
  EXPECT_EQ(names({{"base", {}}, {"jq=1.0-r0", {}}, {"docs", {}}}),
            (Names{"base", "libc", "zlib", "jq", "jq-doc", "docs"}));
  EXPECT_EQ(names({{"loop", {}}}), (Names{"loop", "loop2"}));
}

TEST_F(Closure, WhatTheMediumLacksIsNamedAtItsPlace) {
  const core::Mark place{"r.yaml", 7, 3, 2, "add: [jw]"};
  const core::Error error = error_of([&] { names({{"jw", place}}); });
  EXPECT_EQ(error.kind(), core::Kind::kPackage);
  EXPECT_EQ(error.message(), "alpine-virt 3.22.2 does not carry the package jw");
  ASSERT_TRUE(error.mark());
  EXPECT_EQ(error.mark()->line, 7);
  EXPECT_NE(error_of([&] {
              names({{"jq=2.0-r0", {}}});
            })
                .message()
                .find("carries jq 1.0-r0, not 2.0-r0"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              names({{"broken", {}}});
            })
                .message()
                .find("does not carry gone, which broken-1.0-r0"),
            std::string::npos);
}

}  // namespace
}  // namespace imgforge::fetch
