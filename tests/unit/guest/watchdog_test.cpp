#include "builder/guest/appliance/watchdog.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "core/temp_dir.hpp"

namespace imgforge::guest {
namespace {

using std::chrono::milliseconds;

struct Dog {
  std::atomic<bool> cancelled = false;
  std::atomic<int> kills = 0;
  core::TempDir folder{std::filesystem::temp_directory_path(), "imgforge-watchdog"};
  Watchdog watchdog{folder.path(), [this] { return cancelled.load(); }, [this] { ++kills; }};

  void wait_for_kill() {
    for (int i = 0; i < 200 && kills == 0; ++i) std::this_thread::sleep_for(milliseconds(10));
  }
};

TEST(Watchdog, KillsACallThatTakesTooLong) {
  Dog dog;
  {
    const Watchdog::Call call(dog.watchdog, "waiting", milliseconds(20));
    dog.wait_for_kill();
  }
  EXPECT_GT(dog.kills, 0);
  ASSERT_TRUE(dog.watchdog.verdict());
  EXPECT_EQ(dog.watchdog.verdict()->kind(), core::Kind::kTimeout);
  EXPECT_NE(dog.watchdog.verdict()->message().find("waiting"), std::string::npos);
}

TEST(Watchdog, KillsWhenTheUserCancels) {
  Dog dog;
  const Watchdog::Call call(dog.watchdog, "waiting", std::chrono::minutes(1));
  dog.cancelled = true;
  dog.wait_for_kill();
  ASSERT_TRUE(dog.watchdog.verdict());
  EXPECT_EQ(dog.watchdog.verdict()->kind(), core::Kind::kInterrupted);
}

TEST(Watchdog, LeavesAQuickCallAndTheTimeBetweenCallsAlone) {
  Dog dog;
  { const Watchdog::Call call(dog.watchdog, "quick", milliseconds(300)); }
  dog.cancelled = true;
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_EQ(dog.kills, 0);
  EXPECT_FALSE(dog.watchdog.verdict());
}

}  // namespace
}  // namespace imgforge::guest
