// How far a machine has come, by what its console says.
#include "builder/machines/supervisor/duties/ladder.hpp"

#include <gmock/gmock.h>

#include "builder/machines/supervisor/talk/console_log.hpp"
#include "core/fd.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using Clock = Ladder::Clock;
using std::chrono::seconds;

std::vector<std::string> names(const std::vector<Reached>& states) {
  std::vector<std::string> out;
  for (const Reached& state : states) out.push_back(state.name);
  return out;
}

using Names = std::vector<std::string>;

TEST(Ladder, TellsEachStateOnceWithItsTime) {
  Ladder ladder({});
  const Clock::time_point start = Clock::now();
  ladder.restart(start);
  EXPECT_EQ(names(ladder.reach("process", start + seconds(1))), Names{"process"});
  EXPECT_EQ(names(ladder.take("SeaBIOS\n", start + seconds(2))), Names{"firmware"});
  EXPECT_EQ(names(ladder.take("Linux version 6.1\nRun /init as init process\n", start + seconds(3))),
            (Names{"kernel", "init"}));
  EXPECT_EQ(names(ladder.take("host lo", start + seconds(4))), Names{});
  const std::vector<Reached> ready = ladder.take("gin: ", start + seconds(5));
  ASSERT_EQ(names(ready), Names{"ready"});
  EXPECT_DOUBLE_EQ(ready[0].seconds, 5);
  EXPECT_EQ(names(ladder.take("login: Linux version 6", start + seconds(6))), Names{});
  EXPECT_EQ(ladder.reached().size(), 5U);
}

TEST(Ladder, ExpectationsAreMetInOrder) {
  Ladder ladder({"first", "sec+ond"});
  ladder.restart(Clock::now());
  EXPECT_EQ(names(ladder.take("second\n", Clock::now())), Names{"firmware"});
  EXPECT_EQ(names(ladder.take("first\n", Clock::now())), Names{});
  EXPECT_EQ(names(ladder.take("seccond\n", Clock::now())), Names{"ready"});
}

TEST(Ladder, BeginsAgainAfterARestart) {
  Ladder ladder({});
  ladder.restart(Clock::now());
  ladder.take("login:", Clock::now());
  ladder.restart(Clock::now());
  EXPECT_TRUE(ladder.reached().empty());
  EXPECT_EQ(names(ladder.take("login:", Clock::now())), (Names{"firmware", "ready"}));
}

TEST(Ladder, LaterStatesIncludeEarlierSteps) {
  const std::vector<Reached> ready{{"ready", 1}};
  for (const char* name : {"process", "firmware", "kernel", "init", "ready"})
    EXPECT_TRUE(includes(ready, name));
  for (const char* name : {"agent", "ssh"}) EXPECT_FALSE(includes(ready, name)) << name;
  EXPECT_FALSE(includes({{"kernel", 1}}, "init"));
}

TEST(ConsoleLog, IsBoundedInMemoryAndOnDisk) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "console");
  ConsoleLog log(folder / kConsoleLog, 100'000);
  for (int i = 0; i < 100; ++i) log.take(std::string(9'000, static_cast<char>('a' + i % 26)));
  EXPECT_EQ(log.recent().size(), kConsoleKept);
  EXPECT_LE(std::filesystem::file_size(folder / kConsoleLog), 100'000U);
  EXPECT_LE(std::filesystem::file_size(folder / "console.log.1"), 100'000U);
  EXPECT_EQ(log.recent().back(), static_cast<char>('a' + 99 % 26));
}

}  // namespace
}  // namespace imgforge::machines
