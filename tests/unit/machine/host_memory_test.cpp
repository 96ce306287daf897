#include "builder/machine/host_memory.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "core/temp_dir.hpp"

namespace imgforge::machine {
namespace {

class HostMemory : public ::testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((host_ / file).parent_path());
    std::ofstream(host_ / file) << text;
  }
  std::string swap() const { return swap_text(host_ / "sys", host_ / "proc"); }
  core::TempDir host_{std::filesystem::temp_directory_path(), "host"};
};

TEST_F(HostMemory, SaysWhetherEqualPagesAreMerged) {
  EXPECT_EQ(merging_text(host_ / "sys"), "this kernel merges no equal pages of machines (KSM)");
  write("sys/kernel/mm/ksm/run", "0\n");
  EXPECT_NE(merging_text(host_ / "sys").find("are not merged"), std::string::npos);
  write("sys/kernel/mm/ksm/run", "1\n");
  write("sys/kernel/mm/ksm/pages_sharing", "0\n");
  EXPECT_EQ(merging_text(host_ / "sys").find("merges equal pages of machines"), 0U);
}

TEST_F(HostMemory, SaysWhereItSwaps) {
  const std::string head = "Filename\tType\tSize\tUsed\tPriority\n";
  EXPECT_EQ(swap(), "none");
  write("proc/swaps", head);
  write("sys/module/zswap/parameters/enabled", "Y\n");
  EXPECT_EQ(swap(), "none");
  write("proc/swaps", head + "/dev/sda2 partition 1000 0 -2\n");
  EXPECT_EQ(swap(), "compressed (zswap)");
  write("sys/module/zswap/parameters/enabled", "N\n");
  EXPECT_EQ(swap(), "on a disk, not compressed");
  write("proc/swaps", head + "/dev/zram0 partition 1000 0 100\n");
  EXPECT_EQ(swap(), "compressed (zram)");
}

}  // namespace
}  // namespace imgforge::machine
