#include "core/parallel.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/error.hpp"

namespace imgforge::core {
namespace {

using namespace std::chrono_literals;

TEST(Parallel, DoesEachOnce) {
  for (const unsigned limit : {kOneACore, 1U, 4U, 64U}) {
    std::vector<std::atomic<int>> done(1000);
    for_each_parallel(done.size(), limit, [&](std::size_t i) { ++done[i]; });
    for (const auto& count : done) ASSERT_EQ(count, 1);
  }
  for_each_parallel(0, 4, [](std::size_t) { FAIL(); });
}

TEST(Parallel, KeepsToTheLimit) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  for_each_parallel(100, 3, [&](std::size_t) {
    std::this_thread::sleep_for(1ms);
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT_LE(threads.size(), 3u);
  const std::thread::id caller = std::this_thread::get_id();
  for_each_parallel(5, 1, [&](std::size_t) { EXPECT_EQ(std::this_thread::get_id(), caller); });
}

TEST(Parallel, TheFirstFaultGoesOnWhenAllElseHasEnded) {
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  std::atomic<bool> fails{false};
  try {
    for_each_parallel(1000, 2, [&](std::size_t i) {
      ++begun;
      if (i == 0) {
        while (!fails) std::this_thread::yield();  // still at work when the other one fails
        std::this_thread::sleep_for(20ms);
      } else {
        fails = true;
        throw Error(Kind::kIo, "item " + std::to_string(i));
      }
      ++ended;
    });
    ADD_FAILURE() << "no error was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "item 1");
  }
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(begun, 2);
}

}  // namespace
}  // namespace imgforge::core
