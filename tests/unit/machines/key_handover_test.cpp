// The program that hands over a machine's key: when it begins, what counts as done, and that it is tried
// again.
#include "builder/machines/supervisor/duties/key_handover.hpp"

#include <unistd.h>

#include "builder/machines/supervisor/duties/pauses.hpp"
#include "core/fd.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using Clock = KeyHandover::Clock;

class KeyHandoverTest : public ::testing::Test {
 protected:
  core::Command script(const std::string& text) const {
    core::Command command;
    command.program = "sh";
    command.args = {"-c", "echo called >>\"$0\"; " + text, calls_.native()};
    return command;
  }
  std::size_t calls() const {
    if (!std::filesystem::exists(calls_)) return 0;
    return core::read_text_file(calls_, 4096).size() / 7;
  }
  /// Works, as if that time had passed, until it is done or has nothing to wait for.
  static bool finish(KeyHandover& keys, Clock::duration later = {}) {
    for (int i = 0; i < 1000; ++i) {
      if (keys.work(true, Clock::now() + later)) return true;
      const auto deadline = keys.deadline();
      if (!deadline || *deadline > Clock::now() + std::chrono::seconds(1)) return false;
      ::usleep(10000);
    }
    return false;
  }

  const core::TempDir folder_{std::filesystem::temp_directory_path(), "keys"};
  const std::filesystem::path calls_ = folder_ / "calls";
};

TEST_F(KeyHandoverTest, BeginsOnceTheMachineIsReadyAndIsDoneOnce) {
  KeyHandover keys(script("echo '{\"user\": \"anna\", \"more\": 1}'"));
  EXPECT_FALSE(keys.work(false, Clock::now()));
  EXPECT_FALSE(keys.deadline());
  EXPECT_TRUE(finish(keys));
  EXPECT_EQ(keys.user(), "anna");
  EXPECT_FALSE(keys.work(true, Clock::now()));
  EXPECT_FALSE(keys.deadline());
  EXPECT_EQ(calls(), 1u);
  keys.restart();
  EXPECT_EQ(keys.user(), "");
  EXPECT_TRUE(finish(keys));
  EXPECT_EQ(calls(), 2u);
}

TEST_F(KeyHandoverTest, AFailureIsTriedAgainLaterAndNotForEver) {
  for (const char* failure : {"echo '{\"user\": \"anna\"}'; exit 1", "echo nonsense", "echo '{\"user\": 1}'",
                              "head -c 100000 /dev/zero"}) {
    std::filesystem::remove(calls_);
    KeyHandover keys(script(failure));
    EXPECT_FALSE(finish(keys)) << failure;
    EXPECT_EQ(calls(), 1u) << failure;
    for (int i = 1; i < 9; ++i) finish(keys, std::chrono::seconds(60) * i);
    EXPECT_EQ(calls(), 5u) << failure;
    EXPECT_EQ(keys.user(), "") << failure;
  }
}

TEST_F(KeyHandoverTest, WithoutAProgramNothingHappens) {
  KeyHandover none({});
  EXPECT_FALSE(finish(none));
  core::Command missing;
  missing.program = (folder_ / "none").native();
  KeyHandover gone(missing);
  EXPECT_FALSE(finish(gone));
  EXPECT_FALSE(gone.deadline() && *gone.deadline() <= Clock::now());
}

TEST(Pauses, SayWhyTheMachineStandsStill) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "pauses");
  Pauses pauses(folder.path());
  EXPECT_FALSE(pauses.take("STOP", {}));
  EXPECT_EQ(pauses.why(), "stopped");
  EXPECT_EQ(pauses.take("RESUME", {})->at("event"), "resumed");
  EXPECT_EQ(pauses.why(), "");
  EXPECT_EQ(pauses.take("BLOCK_IO_ERROR", {{"nospace", true}})->at("why"), "the disk of the host is full");
  EXPECT_FALSE(pauses.take("STOP", {}));
  EXPECT_EQ(pauses.why(), "the disk of the host is full");
  EXPECT_TRUE(pauses.deadline());
  pauses.restart();
  EXPECT_EQ(pauses.why(), "");
  EXPECT_FALSE(pauses.deadline());
  EXPECT_EQ(pauses.take("BLOCK_IO_ERROR", {{"nospace", false}})->at("why"), "the disk cannot be used");
  EXPECT_FALSE(pauses.deadline());
  EXPECT_FALSE(pauses.take("SHUTDOWN", {}));
}

}  // namespace
}  // namespace imgforge::machines
