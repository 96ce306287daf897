#include "builder/vm/minimum_memory.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace imgforge::vm {
namespace {

TEST(MinimumMemory, FindsTheStepForEveryThreshold) {
  for (std::uint64_t threshold = 1; threshold <= 256; ++threshold) {
    unsigned tried = 0;
    const core::Bytes found = smallest_memory(core::mib(256), [&](core::Bytes memory) {
      ++tried;
      EXPECT_GE(memory, core::mib(16));
      EXPECT_LT(memory, core::mib(256)) << "the good boot is not repeated";
      EXPECT_EQ(memory.value % core::mib(4).value, 0u);
      return memory >= core::mib(threshold);
    });
    const std::uint64_t expected = threshold <= 16 ? 16 : (threshold + 3) / 4 * 4;
    EXPECT_EQ(found, core::mib(expected)) << threshold;
    EXPECT_LE(tried, 6u);
  }
}

TEST(MinimumMemory, AnOddOrSmallStatedMemoryIsTheAnswerWhenNothingSmallerBoots) {
  const auto never = [](core::Bytes) { return false; };
  EXPECT_EQ(smallest_memory(core::mib(101), never), core::mib(101));
  EXPECT_EQ(smallest_memory(core::mib(8), never), core::mib(8));
  EXPECT_EQ(smallest_memory(core::mib(101), [](core::Bytes) { return true; }), core::mib(16));
}

}  // namespace
}  // namespace imgforge::vm
