// The three views: what they write, and when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder/cli/progress/progress_events.hpp"
#include "builder/cli/progress/progress_lines.hpp"
#include "builder/cli/progress/progress_rows.hpp"
#include "builder/cli/progress/watched_progress.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "support/recorded_progress.hpp"
#include "support/screen.hpp"

namespace imgforge::cli {
namespace {

using namespace std::chrono_literals;
using core::ActivityId;
using core::kNoActivity;
using core::Outcome;
using imgforge::testing::Screen;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A view with what it is told, without the thread.
class Told {
 public:
  Told(ProgressView& view, imgforge::testing::StandingClock& clock) : view_(view), table_(clock) {}
  ActivityId begin(std::string_view name, ActivityId parent = kNoActivity) {
    const core::ActivityRow& row = table_.start(name, parent);
    view_.began(table_, row);
    return row.id;
  }
  void say(ActivityId id, std::string_view detail) { view_.moved(table_, *table_.say(id, detail)); }
  void count(ActivityId id, const core::Amount& amount) { view_.moved(table_, *table_.count(id, amount)); }
  void end(ActivityId id, std::string_view result, Outcome outcome = Outcome::kDone) {
    const auto row = table_.take(id);
    view_.ended(table_, *row, outcome, result);
  }
  void beat() { view_.beat(table_); }

 private:
  ProgressView& view_;
  core::ActivityTable table_;
};

class RowsTest : public ::testing::Test {
 protected:
  Screen screen_{40, 6};
  ProgressRows view_{[this](std::string_view text) { screen_.write(text); },
                     [this] {
                       return ScreenSize{screen_.columns(), screen_.height()};
                     },
                     Style(Colour::kOff)};
  imgforge::testing::StandingClock clock_;
  Told told_{view_, clock_};
};

TEST_F(RowsTest, RowsMoveAlsoWhenNothingIsSaid) {
  const ActivityId step = told_.begin("rootfs");
  told_.say(step, "starting");
  EXPECT_THAT(screen_.lines(), IsEmpty()) << "what is quick is not shown";
  told_.beat();
  EXPECT_THAT(screen_.lines(), ElementsAre("  ⠙ rootfs              starting  0 s"));
  clock_.pass(50s);
  told_.beat();
  EXPECT_THAT(screen_.lines(), ElementsAre("  ⠹ rootfs              starting  50 s"));
}

TEST_F(RowsTest, FinishedLinesStandAboveTheRows) {
  const ActivityId one = told_.begin("one");
  const ActivityId two = told_.begin("two");
  const ActivityId part = told_.begin("download", two);
  told_.beat();
  EXPECT_EQ(screen_.lines().size(), 3U);
  told_.end(one, "made");
  EXPECT_THAT(screen_.lines(), ElementsAre(HasSubstr("✓ one"), HasSubstr("⠙ two"), HasSubstr("└ download")));
  view_.note("a note that is longer than the screen is wide");
  EXPECT_THAT(screen_.lines(), ElementsAre(HasSubstr("✓ one"), "  a note that is longer than the screen",
                                           "  is wide", HasSubstr("⠙ two"), HasSubstr("└ download")));
  told_.end(part, "");
  told_.end(two, "", Outcome::kFailed);
  EXPECT_THAT(screen_.lines(), ElementsAre(HasSubstr("✓ one"), ::testing::_, "  is wide"));
}

TEST_F(RowsTest, RowsNeverScrollAwayFromWhereTheyAreErased) {
  std::vector<ActivityId> steps;
  for (int i = 0; i < 12; ++i) steps.push_back(told_.begin("step " + std::to_string(i)));
  for (const ActivityId step : steps) {
    told_.beat();
    told_.end(step, "made");
  }
  const std::vector<std::string> all = screen_.all_lines();
  ASSERT_EQ(all.size(), 12U);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_THAT(all[i], HasSubstr("✓ step " + std::to_string(i)));
}

TEST_F(RowsTest, NothingIsLeftAtTheEnd) {
  Screen screen(80, 24);
  {
    ProgressRows view([&](std::string_view text) { screen.write(text); }, [] { return ScreenSize{}; },
                      Style(Colour::kOff));
    Told told(view, clock_);
    told.begin("step");
    told.beat();
    view.warn("careful");
    EXPECT_THAT(screen.lines(), ElementsAre("  ! careful", HasSubstr("⠙ step")));
  }
  EXPECT_THAT(screen.lines(), ElementsAre("  ! careful"));
}

class LinesTest : public ::testing::Test {
 protected:
  /// What was written since it was asked last.
  std::string news() { return std::exchange(text_, ""); }
  void pass(std::chrono::seconds time) {
    for (; time > 0s; time -= 1s) {
      clock_.pass(1s);
      told_.beat();
    }
  }

  std::string text_;
  ProgressLines view_{[this](std::string_view text) { text_ += text; }, Style(Colour::kOff)};
  imgforge::testing::StandingClock clock_;
  Told told_{view_, clock_};
};

TEST_F(LinesTest, AStepHasOneLine) {
  const ActivityId step = told_.begin("base");
  told_.say(step, "asking");
  const ActivityId part = told_.begin("download", step);
  told_.count(part, {.done = 1});
  told_.end(part, "there");
  pass(2s);
  EXPECT_EQ(news(), "");
  told_.end(step, "3.22.2");
  EXPECT_EQ(news(), "  ✓ base                         3.22.2  2.0 s\n");
  view_.note("a note");
  view_.warn("a warning");
  EXPECT_EQ(news(), "  a note\n  ! a warning\n");
}

TEST_F(LinesTest, ALongStepShowsLifeAtGrowingDistance) {
  const ActivityId step = told_.begin("minimal/rootfs");
  told_.say(step, "appliance starting");
  pass(29s);
  EXPECT_EQ(news(), "");
  pass(1s);
  EXPECT_EQ(news(), "  … minimal/rootfs: appliance starting, 30 s\n");
  pass(29s);
  EXPECT_EQ(news(), "");
  pass(1s);
  EXPECT_EQ(news(), "  … minimal/rootfs: appliance starting, 60 s\n");
  pass(60s);
  EXPECT_EQ(news(), "  … minimal/rootfs: appliance starting, 120 s\n");
  pass(1000s);
  EXPECT_EQ(news(),
            "  … minimal/rootfs: appliance starting, 240 s\n"
            "  … minimal/rootfs: appliance starting, 480 s\n"
            "  … minimal/rootfs: appliance starting, 780 s\n"
            "  … minimal/rootfs: appliance starting, 1080 s\n");
}

TEST_F(LinesTest, AMachineThatSleptIsToldOnce) {
  told_.begin("base");
  clock_.pass(10h);
  told_.beat();
  EXPECT_EQ(news(), "  … base: 36000 s\n");
  pass(299s);
  EXPECT_LE(core::split(news(), '\n').size(), 2U);
}

class EventsTest : public ::testing::Test {
 protected:
  /// The events since it was asked last; each must be one line of strict JSON.
  std::vector<core::Json> news() {
    std::vector<core::Json> out;
    std::string text = std::exchange(text_, "");
    if (text.empty()) return out;
    EXPECT_TRUE(text.ends_with("\n"));
    text.pop_back();
    for (const std::string& line : core::split(text, '\n')) {
      out.push_back(core::parse_json(line, "event"));
      EXPECT_EQ(out.back().at("schema"), 1);
    }
    return out;
  }
  std::string only() {
    const std::vector<core::Json> events = news();
    EXPECT_EQ(events.size(), 1U);
    return events.empty() ? "" : events.front().dump();
  }

  std::string text_;
  ProgressEvents view_{[this](std::string_view text) { text_ += text; }};
  imgforge::testing::StandingClock clock_;
  Told told_{view_, clock_};
};

TEST_F(EventsTest, TellBeginningAndEnd) {
  const ActivityId step = told_.begin("base");
  EXPECT_EQ(only(), R"({"schema":1,"event":"begin","id":1,"name":"base"})");
  const ActivityId part = told_.begin("download", step);
  EXPECT_EQ(only(), R"({"schema":1,"event":"begin","id":2,"name":"download","parent":1})");
  clock_.pass(1234ms);
  told_.end(part, "", Outcome::kFailed);
  EXPECT_EQ(
      only(),
      R"({"schema":1,"event":"end","id":2,"name":"download","parent":1,"outcome":"failed","seconds":1.234})");
  told_.end(step, "3.22.2", Outcome::kKnown);
  EXPECT_EQ(
      only(),
      R"({"schema":1,"event":"end","id":1,"name":"base","outcome":"known","seconds":1.234,"detail":"3.22.2"})");
}

TEST_F(EventsTest, UpdatesComeAtMostTwiceASecond) {
  const ActivityId step = told_.begin("base");
  news();
  told_.say(step, "first");
  EXPECT_EQ(only(), R"({"schema":1,"event":"update","id":1,"name":"base","seconds":0.0,"detail":"first"})");
  std::size_t updates = 0;
  for (int i = 0; i < 1000; ++i) {
    clock_.pass(10ms);
    told_.count(step, {.done = static_cast<std::uint64_t>(i), .total = 1000});
    if (i % 50 == 49) told_.beat();
    updates += news().size();
  }
  EXPECT_GE(updates, 19U);
  EXPECT_LE(updates, 23U);
  told_.say(step, "last");
  told_.count(step, {.unit = core::Amount::Unit::kThings, .done = 3, .total = 4});
  news();
  clock_.pass(500ms);
  told_.beat();
  EXPECT_EQ(
      only(),
      R"({"schema":1,"event":"update","id":1,"name":"base","seconds":10.5,"detail":"last","count":3,"total":4})");
  clock_.pass(5s);
  told_.beat();
  EXPECT_THAT(news(), IsEmpty()) << "nothing is new";
  told_.count(step, {.done = 77});
  told_.end(step, "made");
  EXPECT_EQ(news().back().at("bytes"), 77);
}

TEST_F(EventsTest, AreLinesWhateverTheTextIs) {
  view_.note("two\nlines \x1b[2J \"quoted\" größe");
  const core::Json note = news().at(0);
  EXPECT_EQ(note.at("event"), "note");
  EXPECT_EQ(note.at("text"), "two\nlines \x1b[2J \"quoted\" größe");
  view_.warn("not UTF-8: \xff");
  EXPECT_EQ(only(), "{\"schema\":1,\"event\":\"warning\",\"text\":\"not UTF-8: \uFFFD\"}");
}

TEST_F(EventsTest, TheErrorIsAnEvent) {
  text_ = error_event(core::Error(core::Kind::kFetch, "no mirror answers").hint("look at the cable"));
  const core::Json event = news().at(0);
  EXPECT_EQ(event.at("event"), "error");
  EXPECT_EQ(event.at("error").at("message"), "no mirror answers");
  EXPECT_EQ(event.at("error").at("hint"), "look at the cable");
}

/// A view that counts, and wakes who waits for a beat.
class CountingView : public ProgressView {
 public:
  void began(const core::ActivityTable&, const core::ActivityRow&) override { ++begins; }
  void moved(const core::ActivityTable&, const core::ActivityRow&) override { ++moves; }
  void ended(const core::ActivityTable&, const core::ActivityRow&, Outcome, std::string_view) override {
    ++ends;
  }
  void note(std::string_view) override { ++notes; }
  void warn(std::string_view) override { ++warnings; }
  void beat(const core::ActivityTable& table) override {
    const std::lock_guard lock(mutex);
    rows = table.places().size();
    ++beats;
    beaten.notify_all();
  }
  std::chrono::milliseconds interval() const override { return 1ms; }

  int begins = 0, moves = 0, ends = 0, notes = 0, warnings = 0;
  std::mutex mutex;
  std::condition_variable beaten;
  int beats = 0;
  std::size_t rows = 0;
};

TEST(WatchedProgress, BeatsWhileAnythingRuns) {
  auto view = std::make_unique<CountingView>();
  CountingView& seen = *view;
  WatchedProgress progress(std::move(view), core::steady_clock(), Verbosity::kNormal);
  core::Activity step = progress.begin("step");
  const core::Activity part = step.part("part");
  {
    std::unique_lock lock(seen.mutex);
    ASSERT_TRUE(seen.beaten.wait_for(lock, 60s, [&] { return seen.beats > 2 && seen.rows == 2; }));
  }
  step.say("x");
  step.count({});
  step.done();
  progress.note("x");
  progress.warn("x");
  EXPECT_EQ(seen.begins, 2);
  EXPECT_EQ(seen.moves, 2);
  EXPECT_EQ(seen.ends, 1);
  EXPECT_EQ(seen.notes, 1);
  EXPECT_EQ(seen.warnings, 1);
}

TEST(WatchedProgress, QuietShowsWarningsOnly) {
  auto view = std::make_unique<CountingView>();
  CountingView& seen = *view;
  WatchedProgress progress(std::move(view), core::steady_clock(), Verbosity::kQuiet);
  core::Activity step = progress.begin("step");
  step.say("x");
  step.done("y");
  progress.note("x");
  progress.warn("x");
  EXPECT_EQ(seen.begins + seen.moves + seen.ends + seen.notes, 0);
  EXPECT_EQ(seen.warnings, 1);
}

TEST(WatchedProgress, ManyThreadsTellAtOnce) {
  auto view = std::make_unique<CountingView>();
  CountingView& seen = *view;
  {
    WatchedProgress progress(std::move(view), core::steady_clock(), Verbosity::kNormal);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 100; ++round) {
          core::Activity step = progress.begin("step");
          core::Activity part = step.part("part");
          part.count({.done = 1});
          part.done();
          step.done("made");
        }
      });
    }
    threads.clear();
    EXPECT_EQ(seen.begins, 1600);
    EXPECT_EQ(seen.ends, 1600);
  }
}

}  // namespace
}  // namespace imgforge::cli
