#include "builder/image/console.hpp"

#include <gtest/gtest.h>

#include "builder/image/boot_test.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::image {
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

TEST(BootArguments, KeepTheImageUnchangedAndItsNameAName) {
  BootSpec spec;
  spec.image = "/srv/a,readonly=on:b.qcow2";
  const std::vector<std::string> args = qemu_arguments(spec, {});
  EXPECT_EQ(args.back(), "if=virtio,format=qcow2,snapshot=on,file=/srv/a,,readonly=on:b.qcow2");
  EXPECT_NE(std::find(args.begin(), args.end(), "-nic"), args.end());
}

}  // namespace
}  // namespace imgforge::image
