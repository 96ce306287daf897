// Activities: that each ends once, and what the table says of those that run.
#include "core/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "core/activity_table.hpp"
#include "support/recorded_progress.hpp"

namespace imgforge::core {
namespace {

using namespace std::chrono_literals;
using imgforge::testing::RecordedProgress;
using imgforge::testing::StandingClock;
using ::testing::ElementsAre;

TEST(Activity, EndsAsItIsTold) {
  RecordedProgress progress;
  progress.begin("one").done("made");
  progress.begin("two").known("there");
  EXPECT_THAT(progress.lines, ElementsAre("begin one", "done one", "begin two", "known two"));
  EXPECT_THAT(progress.results, ElementsAre("made", "there"));
}

TEST(Activity, EndsAsFailedWhenNothingIsTold) {
  RecordedProgress progress;
  try {
    const Activity outer = progress.begin("outer");
    const Activity inner = outer.part("inner");
    throw std::runtime_error("");
  } catch (const std::runtime_error&) {
  }
  EXPECT_THAT(progress.lines,
              ElementsAre("begin outer", "begin outer > inner", "failed outer > inner", "failed outer"));
  EXPECT_EQ(progress.running(), 0U);
}

TEST(Activity, EndsOnce) {
  RecordedProgress progress;
  Activity activity = progress.begin("one");
  activity.done();
  activity.known("again");
  activity.say("late");
  activity.count({.done = 1});
  EXPECT_THAT(progress.lines, ElementsAre("begin one", "done one"));
  EXPECT_TRUE(progress.details.empty());
  EXPECT_TRUE(progress.amounts.empty());
}

TEST(Activity, MovesAndLeavesNothingBehind) {
  RecordedProgress progress;
  Activity first = progress.begin("one");
  Activity second = std::move(first);
  first = progress.begin("two");
  second = std::move(first);  // "one" gives way
  EXPECT_THAT(progress.lines, ElementsAre("begin one", "begin two", "failed one"));
  second.done();
  EXPECT_EQ(progress.lines.back(), "done two");
}

TEST(Activity, WithoutWatcherSaysNothing) {
  Activity nobody;
  nobody.say("x");
  nobody.count({});
  Activity part = nobody.part("part");
  part.done();
  nobody.done();
  no_progress().begin("x").done("y");
}

TEST(ActivityTable, MeasuresByItsClock) {
  StandingClock clock;
  ActivityTable table(clock);
  const ActivityRow& row = table.start("base", kNoActivity);
  clock.pass(1500ms);
  EXPECT_DOUBLE_EQ(table.seconds(row), 1.5);
  EXPECT_EQ(table.say(row.id, "asking"), &row);
  EXPECT_EQ(row.detail, "asking");
  const auto taken = table.take(row.id);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->detail, "asking");
  EXPECT_TRUE(table.empty());
  EXPECT_FALSE(table.take(taken->id));
  EXPECT_EQ(table.say(taken->id, "late"), nullptr);
  EXPECT_EQ(table.count(taken->id, {}), nullptr);
  EXPECT_EQ(table.find(taken->id), nullptr);
}

TEST(ActivityTable, RateCountsWhatCameSinceItBegan) {
  StandingClock clock;
  ActivityTable table(clock);
  const ActivityRow& row = table.start("download", kNoActivity);
  EXPECT_FALSE(table.rate(row));
  clock.pass(10s);  // waiting is not slowness
  table.count(row.id, {.done = 5000, .total = 9000, .found = 5000});
  clock.pass(500ms);
  table.count(row.id, {.done = 6000, .total = 9000, .found = 5000});
  EXPECT_FALSE(table.rate(row)) << "half a second says little";
  clock.pass(1500ms);
  EXPECT_DOUBLE_EQ(table.rate(row).value(), 500);
  table.count(row.id, {.done = 0, .total = 9000, .found = 0});
  EXPECT_FALSE(table.rate(row)) << "it began anew";
}

std::string names(const ActivityTable& table) {
  std::string out;
  for (const auto& [row, depth] : table.places()) out += std::string(depth, '-') + row->name + " ";
  return out;
}

TEST(ActivityTable, PartsFollowWhatTheyArePartsOf) {
  StandingClock clock;
  ActivityTable table(clock);
  const ActivityId one = table.start("one", kNoActivity).id;
  const ActivityId two = table.start("two", kNoActivity).id;
  const ActivityId part = table.start("part", one).id;
  table.start("deep", part);
  table.start("other", two);
  EXPECT_EQ(names(table), "one -part --deep two -other ");
  table.take(one);  // its parts go on and stay visible
  EXPECT_EQ(names(table), "two -other part -deep ");
  table.start("late", one);
  EXPECT_EQ(names(table), "two -other part -deep late ");
}

}  // namespace
}  // namespace imgforge::core
