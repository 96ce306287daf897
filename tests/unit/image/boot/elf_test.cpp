#include "builder/image/boot/elf.hpp"

#include <gmock/gmock.h>

#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::error_of;
using ElfTest = testing::ImageTest;

TEST_F(ElfTest, TellsLoaderAndLibrariesOfADynamicProgram) {
  const ElfNeeds needs = read_elf_needs(slurp("/bin/ls"), "ls");
  EXPECT_EQ(needs.interpreter, "/lib64/ld-linux-x86-64.so.2");
  EXPECT_THAT(needs.needed, ::testing::Contains("libc.so.6"));
}

TEST_F(ElfTest, AStaticProgramNeedsNothing) {
  if (!std::filesystem::exists("/bin/busybox")) GTEST_SKIP() << "busybox-static is not installed";
  const ElfNeeds needs = read_elf_needs(slurp("/bin/busybox"), "busybox");
  EXPECT_EQ(needs.interpreter, "");
  EXPECT_TRUE(needs.needed.empty());
}

TEST_F(ElfTest, RefusesOtherFiles) {
  EXPECT_EQ(error_of([] { read_elf_needs("#!/bin/sh\n", "script"); }).kind(), core::Kind::kImage);
  EXPECT_EQ(error_of([] { read_elf_needs(std::string(200, 'x'), "noise"); }).kind(), core::Kind::kImage);
  std::string other = slurp("/bin/ls");
  other[4] = 1;  // 32 bits
  EXPECT_EQ(error_of([&] { read_elf_needs(other, "other"); }).kind(), core::Kind::kImage);
}

TEST_F(ElfTest, DamageIsAnErrorAndNeverACrash) {
  const std::string program = slurp("/bin/ls");
  for (std::size_t size = 0; size < 0x1000; size += 7) {
    EXPECT_EQ(error_of([&] { read_elf_needs(program.substr(0, size), "cut"); }).kind(), core::Kind::kImage);
  }
  for (std::size_t at = 0; at < 0x400; ++at) {
    std::string damaged = program;
    damaged[at] = static_cast<char>(damaged[at] ^ 0xFF);
    try {
      read_elf_needs(damaged, "damaged");
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::Kind::kImage);
    }
  }
}

}  // namespace
}  // namespace imgforge::image
