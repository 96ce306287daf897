#include "builder/vm/console/console.hpp"

#include <gtest/gtest.h>

#include "unit/image/image_testing.hpp"

namespace imgforge::vm {
namespace {

using Lines = std::vector<std::string>;

TEST(Console, CutsLinesAndGivesThePromptAtOnce) {
  ConsoleText console;
  EXPECT_EQ(console.feed("one\r\ntw"), (Lines{"one", "tw"}));
  EXPECT_EQ(console.feed("o\nlogin: "), (Lines{"two", "login: "}));
}

TEST(Console, RemovesEscapeSequencesAlsoWhenTheyComeInPieces) {
  ConsoleText console;
  EXPECT_EQ(console.feed("\x1b[2J\x1b[01;1Hready\x1b["), (Lines{"ready"}));
  EXPECT_EQ(console.feed("0m now\x1b"
                         "c!"),
            (Lines{"ready now!"}));
}

TEST(Console, AnEndlessLineIsBounded) {
  ConsoleText console;
  EXPECT_EQ(console.feed(std::string(10000, 'x')).size(), 3u);
  EXPECT_LT(console.tail(40).size(), 30000u);
}

}  // namespace
}  // namespace imgforge::vm
