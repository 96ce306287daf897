// Memory that follows what the guest needs: the policy, and what a balloon says.
#include "builder/machines/supervisor/duties/autoscale.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/json.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using core::Kind;
using testing::kind_of;

constexpr std::uint64_t kMiB = 1 << 20;
const Autoscale kPolicy{256 * kMiB, 1024 * kMiB, 15};

TEST(Autoscaler, GivesAtOnceByAQuarterUpToTheMost) {
  Autoscaler scaler(kPolicy);
  const auto change = scaler.look({512 * kMiB, 30 * kMiB});
  ASSERT_TRUE(change);
  EXPECT_EQ(change->bytes, 640 * kMiB);
  EXPECT_EQ(change->why, "5 % of 512M was free");
  EXPECT_EQ(scaler.look({960 * kMiB, 0})->bytes, 1024 * kMiB);
  EXPECT_FALSE(scaler.look({1024 * kMiB, 0}));
}

TEST(Autoscaler, TakesBackOnlyAfterSixIdleLooksAndNeverBelowTheLeast) {
  Autoscaler scaler(kPolicy);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(scaler.look({512 * kMiB, 400 * kMiB})) << i;
  EXPECT_EQ(scaler.look({512 * kMiB, 400 * kMiB})->bytes, 448 * kMiB);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(scaler.look({512 * kMiB, 400 * kMiB})) << i;
  EXPECT_FALSE(scaler.look({512 * kMiB, 100 * kMiB}));  // it begins to count again
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(scaler.look({512 * kMiB, 400 * kMiB})) << i;
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(scaler.look({256 * kMiB, 250 * kMiB})) << i;
}

TEST(Autoscaler, WhatIsOutsideOfItsBoundsIsBroughtInside) {
  Autoscaler scaler(kPolicy);
  EXPECT_EQ(scaler.look({128 * kMiB, 100 * kMiB})->bytes, 256 * kMiB);
  EXPECT_EQ(scaler.look({2048 * kMiB, 100 * kMiB})->bytes, 1024 * kMiB);
}

/// A guest that needs a steady amount is left alone once it was found, wherever it began.
TEST(Autoscaler, DoesNotGoToAndFro) {
  for (std::uint64_t needs = 10; needs <= 900; needs += 10) {
    for (const std::uint64_t begin : {256, 512, 1024}) {
      Autoscaler scaler(kPolicy);
      std::uint64_t given = begin * kMiB;
      int changes_late = 0;
      for (int look = 0; look < 400; ++look) {
        const std::uint64_t free = given > needs * kMiB ? given - needs * kMiB : 0;
        const auto change = scaler.look({given, free});
        if (!change) continue;
        EXPECT_NE(change->bytes, given);
        given = change->bytes;
        changes_late += look >= 200 ? 1 : 0;
      }
      EXPECT_EQ(changes_late, 0) << needs << " of " << begin;
      EXPECT_GE(given, kPolicy.least);
      EXPECT_LE(given, kPolicy.most);
    }
  }
}

TEST(AvailableMemory, IsWhatTheGuestsDriverTells) {
  const auto of = [](const char* text) { return available_memory(core::parse_json(text, "test")); };
  EXPECT_EQ(of(R"({"last-update": 7, "stats": {"stat-available-memory": 4096}})"), 4096U);
  for (const char* text : {R"({"last-update": 0, "stats": {"stat-available-memory": 4096}})", "{}", "[]",
                           R"({"last-update": 7, "stats": {"stat-available-memory": 18446744073709551615}})",
                           R"({"last-update": 7, "stats": {"stat-available-memory": "much"}})",
                           R"({"last-update": 7, "stats": {}})"})
    EXPECT_FALSE(of(text)) << text;
}

TEST(Autoscale, IsReadAndWritten) {
  EXPECT_EQ(parse_autoscale("256M..1G"), (Autoscale{256 * kMiB, 1024 * kMiB, 15}));
  EXPECT_EQ(parse_autoscale("256M..1G:20%"), (Autoscale{256 * kMiB, 1024 * kMiB, 20}));
  EXPECT_EQ(parse_autoscale("256M..1G:20").text(), "256M..1G:20%");
  for (const char* text : {"", "256M", "..", "1G..256M", "256M..1G:", "256M..1G:0%", "256M..1G:46%",
                           "256M..1G:x", "256M..1G:1%%", "256M:1%..1G", "1..2", "256M..1G..2G"})
    EXPECT_EQ(kind_of([&] { parse_autoscale(text); }), Kind::kUsage) << text;
}

}  // namespace
}  // namespace imgforge::machines
