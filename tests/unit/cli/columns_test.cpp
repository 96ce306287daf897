// Lines of the terminal by columns: what they take, where they are cut, and that none is wider than asked.
#include "builder/cli/frame/columns.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder/cli/frame/terminal.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using ::testing::ElementsAre;

TEST(Columns, AreCountedByCharacter) {
  EXPECT_EQ(columns_of(""), 0U);
  EXPECT_EQ(columns_of("plain"), 5U);
  EXPECT_EQ(columns_of("größe"), 5U);
  EXPECT_EQ(columns_of("日本語"), 6U);
  EXPECT_EQ(columns_of("ｗｉｄｅ"), 8U);
  EXPECT_EQ(columns_of("한국"), 4U);
  EXPECT_EQ(columns_of("\U0001F4E6"), 2U);  // package
  EXPECT_EQ(columns_of("e\u0301"), 1U);     // combining acute
  EXPECT_EQ(columns_of("a\u200Bb"), 2U);    // zero width space
  EXPECT_EQ(columns_of("… ✓ ·"), 5U);
  EXPECT_EQ(columns_of("\x07\x1b"), 0U);
  EXPECT_EQ(columns_of("\xff\xc3"), 2U);          // not UTF-8
  EXPECT_EQ(columns_of("\xe6\x97"), 2U);          // the beginning of a character
  EXPECT_EQ(columns_of("\xed\xa0\x80"), 3U);      // a surrogate
  EXPECT_EQ(columns_of("\xf4\x90\x80\x80"), 4U);  // behind the last character
}

TEST(Columns, CutTakesCharactersWhole) {
  EXPECT_EQ(cut_to_columns("plain", 5), "plain");
  EXPECT_EQ(cut_to_columns("plainer", 5), "plai…");
  EXPECT_EQ(cut_to_columns("größer", 4), "grö…");
  EXPECT_EQ(cut_to_columns("日本語", 6), "日本語");
  EXPECT_EQ(cut_to_columns("日本語", 5), "日本…");
  EXPECT_EQ(cut_to_columns("日本語", 4), "日…");  // half of the second one would fit
  EXPECT_EQ(cut_to_columns("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  EXPECT_EQ(cut_to_columns("ab", 1), "…");
  EXPECT_EQ(cut_to_columns("ab", 0), "");
}

TEST(Columns, CutIsAlwaysValidAndFits) {
  const std::string text = "aß日\U0001F4E6e\u0301\u0301한 …✓ text";
  for (std::size_t columns = 0; columns <= 30; ++columns) {
    const std::string cut = cut_to_columns(text, columns);
    EXPECT_TRUE(core::is_utf8(cut)) << columns;
    EXPECT_LE(columns_of(cut), columns);
  }
}

TEST(Columns, PaddingFillsUp) {
  EXPECT_EQ(padded_to_columns("ß", 3), "ß  ");
  EXPECT_EQ(padded_to_columns("日本", 5), "日本 ");
  EXPECT_EQ(padded_to_columns("longer", 3), "longer");
}

TEST(Columns, WrappingBreaksAtBlanks) {
  EXPECT_THAT(wrapped_to_columns("", 10), ElementsAre(""));
  EXPECT_THAT(wrapped_to_columns("one two three", 20), ElementsAre("one two three"));
  EXPECT_THAT(wrapped_to_columns("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped_to_columns("one two three", 8), ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped_to_columns("one two three", 6), ElementsAre("one", "two", "three"));
  EXPECT_THAT(wrapped_to_columns("a wordthatislong b", 6), ElementsAre("a", "wordth", "atislo", "ng b"));
  EXPECT_THAT(wrapped_to_columns("one\ntwo three", 9), ElementsAre("one", "two three"));
  EXPECT_THAT(wrapped_to_columns("日本 語", 1), ElementsAre("日", "本", "語"));
  EXPECT_THAT(wrapped_to_columns("  - item of a list", 12), ElementsAre("  - item of", "a list"));
}

/// The widest line of terminal output.
std::size_t widest(const std::string& text) {
  std::size_t columns = 0;
  for (const std::string& line : core::split(text, '\n')) columns = std::max(columns, columns_of(line));
  return columns;
}

constexpr const char* kLong =
    "linux-virt, größe 日本語 \U0001F4E6, 1234 packages of https://mirror.example/alpine/v3.22/main, and "
    "more";

TEST(TerminalLines, AllFitTheWidth) {
  const Style plain(Colour::kOff);
  for (std::size_t width = 20; width <= 120; ++width) {
    EXPECT_LE(widest(step_line("unhinged-os-minimal/squashfs with a name", kLong, "123.4 s", width, plain)),
              width);
    EXPECT_LE(widest(step_line("base", kLong, "cached", width, plain)), width);
    EXPECT_LE(widest(note_lines(kLong, width)), width);
    EXPECT_LE(widest(warning_lines(kLong, width, plain)), width);
  }
}

TEST(TerminalLines, DetailIsCutBeforeTheTime) {
  const Style plain(Colour::kOff);
  EXPECT_EQ(step_line("base", "3.22.2", "2.1 s", 80, plain),
            "  ✓ base                         3.22.2  2.1 s\n");
  const std::string line = step_line("base", kLong, "2.1 s", 80, plain);
  EXPECT_EQ(columns_of(line), 80U);
  EXPECT_TRUE(line.ends_with("…  2.1 s\n")) << line;
  const std::string coloured = step_line("base", kLong, "2.1 s", 80, Style(Colour::kOn));
  EXPECT_TRUE(coloured.ends_with("…  \x1b[2m2.1 s\x1b[0m\n")) << coloured;
}

TEST(TerminalLines, SentencesAreBrokenAndLoseNothing) {
  EXPECT_EQ(warning_lines("the lock is not used, it is stale", 20, Style(Colour::kOff)),
            "  ! the lock is not\n    used, it is\n    stale\n");
  EXPECT_EQ(note_lines("not current, next: promote it", 20), "  not current, next:\n  promote it\n");
}

TEST(TerminalLines, NothingIsCutWithoutATerminal) {
  const Style plain(Colour::kOff);
  EXPECT_EQ(note_lines(kLong, kUnlimited), std::string("  ") + kLong + "\n");
  EXPECT_EQ(warning_lines(kLong, kUnlimited, plain), std::string("  ! ") + kLong + "\n");
  EXPECT_EQ(step_line("base", kLong, "2.1 s", kUnlimited, plain),
            "  ✓ base                         " + std::string(kLong) + "  2.1 s\n");
}

}  // namespace
}  // namespace imgforge::cli
