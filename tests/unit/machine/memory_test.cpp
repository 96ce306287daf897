// What may be used of the machine's memory.

#include "builder/machine/memory.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "core/temp_dir.hpp"

namespace imgforge::machine {
namespace {

class Memory : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) {
    const std::filesystem::path file = folder_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << content;
  }
  std::uint64_t available() { return available_memory(folder_ / "proc", folder_ / "groups").value; }

  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-memory-test"};
};

TEST_F(Memory, OfThisMachineIsSomething) {
  EXPECT_GT(available_memory().value, 1U << 20);
}

TEST_F(Memory, IsWhatTheKernelSays) {
  EXPECT_EQ(available(), 0U);
  write("proc/meminfo", "MemTotal:  9000 kB\nMemFree: 10 kB\nMemAvailable:  4000 kB\nHugePages_Total: 0\n");
  EXPECT_EQ(available(), 4000U << 10);
}

TEST_F(Memory, IsNoMoreThanWhatTheControlGroupsAboveHaveLeft) {
  write("proc/meminfo", "MemAvailable: 4000 kB\n");
  write("proc/self/cgroup", "1:name=systemd:/x\n0::/outer/inner\n");
  write("groups/outer/inner/memory.max", "max\n");
  EXPECT_EQ(available(), 4000U << 10);
  write("groups/outer/memory.max", "1000000\n");
  write("groups/outer/memory.current", "700000\n");
  write("groups/outer/memory.stat", "anon 5\ninactive_file 200000\n");
  EXPECT_EQ(available(), 500000U);
  // Of a container, which sees its own group as the top.
  write("groups/memory.max", "2000\n");
  write("groups/memory.current", "3000\n");
  EXPECT_EQ(available(), 0U);
}

}  // namespace
}  // namespace imgforge::machine
