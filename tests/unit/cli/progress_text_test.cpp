// Rows and lines of activities: what they say, and that they fit the screen.
#include "builder/cli/progress/progress_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder/cli/frame/columns.hpp"
#include "core/text.hpp"
#include "support/recorded_progress.hpp"

namespace imgforge::cli {
namespace {

using namespace std::chrono_literals;
using core::ActivityId;
using core::ActivityRow;
using core::Amount;
using core::kNoActivity;
using core::Outcome;
using ::testing::ElementsAre;

constexpr const char* kLong =
    "linux-virt, größe 日本語 \U0001F4E6, 1234 packages of https://mirror.example/alpine/v3.22/main, and "
    "more";

class ProgressText : public ::testing::Test {
 protected:
  std::vector<std::string> rows(std::size_t columns = 80, std::size_t height = 24, unsigned beat = 0) {
    return activity_rows(table_, {columns, height}, beat);
  }
  const ActivityRow& begin(std::string_view name, ActivityId parent = kNoActivity) {
    return table_.start(name, parent);
  }

  imgforge::testing::StandingClock clock_;
  core::ActivityTable table_{clock_};
};

TEST_F(ProgressText, ARowSaysNameDetailAndTime) {
  const ActivityRow& row = begin("minimal/rootfs");
  table_.say(row.id, "appliance starting");
  clock_.pass(49900ms);
  EXPECT_THAT(rows(), ElementsAre("  ⠋ minimal/rootfs               appliance starting  49 s"));
  EXPECT_THAT(rows(80, 24, 2), ElementsAre("  ⠹ minimal/rootfs               appliance starting  49 s"));
  EXPECT_THAT(rows(40), ElementsAre("  ⠋ minimal/rootfs      applianc…  49 s"));
}

TEST_F(ProgressText, APartStandsBelowWithAmountSpeedAndRest) {
  const ActivityRow& base = begin("base");
  const ActivityRow& part = begin("download", base.id);
  table_.say(part.id, "3 of 20 files");
  table_.count(part.id, {.done = 0, .total = 40'000'000});
  clock_.pass(2s);
  table_.count(part.id, {.done = 12'000'000, .total = 40'000'000});
  EXPECT_THAT(rows(),
              ElementsAre("  ⠋ base                           2 s",
                          "    └ download 3 of 20 files · 12.0 of 40.0 MB · 6.0 MB/s · 5 s left  2 s"));
  EXPECT_THAT(rows(40), ElementsAre("  ⠋ base                  2 s", "    └ download 12.0 of 40.0 MB  2 s"));
  EXPECT_THAT(rows(48), ElementsAre(::testing::_, "    └ download 12.0 of 40.0 MB · 6.0 MB/s  2 s"));
}

TEST_F(ProgressText, AmountsAreSaidShortly) {
  const ActivityRow& row = begin("x");
  const auto text = [&](const Amount& amount) { return amount_text(*table_.count(row.id, amount)); };
  EXPECT_EQ(amount_text(row), "");
  EXPECT_EQ(text({.done = 12'000'000}), "12.0 MB");
  EXPECT_EQ(text({.done = 900'000, .total = 1'200'000}), "900.0 kB of 1.2 MB");
  EXPECT_EQ(text({.unit = Amount::Unit::kThings, .done = 3}), "3");
  EXPECT_EQ(text({.unit = Amount::Unit::kThings, .done = 3, .total = 20}), "3 of 20");
}

TEST_F(ProgressText, NoRowIsWiderThanTheScreen) {
  const ActivityRow& row = begin("unhinged-os-minimal/squashfs 日本語日本語日本語");
  table_.say(row.id, kLong);
  const ActivityRow& part = begin("download of 日本語 and much more than that", row.id);
  table_.say(part.id, kLong);
  table_.count(part.id, {.done = 0, .total = 40'000'000});
  clock_.pass(4000s);
  table_.count(part.id, {.done = 12'000'000, .total = 40'000'000});
  for (std::size_t columns = 1; columns <= 200; ++columns) {
    for (const std::string& text : rows(columns)) {
      EXPECT_LE(columns_of(text), std::max<std::size_t>(columns, 2) - 1);
      EXPECT_TRUE(core::is_utf8(text)) << columns;
    }
  }
  for (const std::size_t columns : {40, 80})
    EXPECT_TRUE(rows(columns)[1].ends_with("  4000 s")) << "the time stays: " << rows(columns)[1];
}

TEST_F(ProgressText, ForeignTextCannotSteerTheTerminal) {
  const ActivityRow& row = begin("a\x1b[2J");
  table_.say(row.id, "line\nbreak\r\x1b]0;title\x07");
  const std::string text = rows(200)[0];
  for (const char bad : {'\x1b', '\n', '\r', '\x07'}) EXPECT_EQ(text.find(bad), std::string::npos);
}

TEST_F(ProgressText, RowsFitTheHeight) {
  for (int i = 0; i < 30; ++i) begin("step " + std::to_string(i));
  EXPECT_EQ(rows(80, 24).size(), 23U);
  EXPECT_EQ(rows(80, 24).back(), "  … 8 more");
  EXPECT_EQ(rows(80, 31).size(), 30U);
  EXPECT_THAT(rows(80, 1), ElementsAre("  … 30 more"));
}

TEST_F(ProgressText, HeartbeatsNameWhatRuns) {
  const ActivityRow& row = begin("minimal/rootfs");
  clock_.pass(30s);
  EXPECT_EQ(heartbeat_line(table_, row), "  … minimal/rootfs: 30 s\n");
  table_.say(row.id, "appliance starting");
  clock_.pass(30s);
  EXPECT_EQ(heartbeat_line(table_, row), "  … minimal/rootfs: appliance starting, 60 s\n");
  const ActivityRow& part = begin("download", row.id);
  table_.say(part.id, "3 of 20 files");
  table_.count(part.id, {.done = 12'000'000, .total = 40'000'000});
  EXPECT_EQ(heartbeat_line(table_, row),
            "  … minimal/rootfs: download, 3 of 20 files, 12.0 of 40.0 MB, 60 s\n");
}

TEST_F(ProgressText, FinishedLinesAreOfStepsWithAResult) {
  const Style plain(Colour::kOff);
  const ActivityRow& row = begin("base");
  const ActivityRow& part = begin("download", row.id);
  clock_.pass(2100ms);
  EXPECT_EQ(finished_line(table_, row, Outcome::kDone, "3.22.2", kUnlimited, plain),
            "  ✓ base                         3.22.2  2.1 s\n");
  EXPECT_EQ(finished_line(table_, row, Outcome::kKnown, "3.22.2", 80, plain),
            "  ✓ base                         3.22.2  cached\n");
  EXPECT_EQ(finished_line(table_, row, Outcome::kFailed, "3.22.2", 80, plain), "");
  EXPECT_EQ(finished_line(table_, row, Outcome::kDone, "", 80, plain), "");
  EXPECT_EQ(finished_line(table_, part, Outcome::kDone, "3.22.2", 80, plain), "");
}

}  // namespace
}  // namespace imgforge::cli
