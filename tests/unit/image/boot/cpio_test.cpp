#include "builder/image/boot/cpio.hpp"

#include <gmock/gmock.h>

#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using CpioTest = testing::ImageTest;
using ::testing::HasSubstr;

std::string sample() {
  CpioWriter cpio;
  cpio.directory("bin");
  cpio.file("bin/tool", "content", 0755);
  cpio.symlink("bin/sh", "tool");
  cpio.directory("dev");
  cpio.character_device("dev/console", 0600, 5, 1);
  return cpio.finish();
}

TEST_F(CpioTest, AnotherProgramReadsIt) {
  if (!std::filesystem::exists("/bin/busybox")) GTEST_SKIP() << "busybox-static is not installed";
  const std::string listing = run("busybox", {"cpio", "-tv"}, sample());
  EXPECT_THAT(listing, HasSubstr("-rwxr-xr-x"));
  EXPECT_THAT(listing, HasSubstr("bin/sh -> tool"));
  EXPECT_THAT(listing, HasSubstr("dev/console"));
  run("busybox", {"cpio", "-id", "bin/tool", "bin/sh"}, sample());
  EXPECT_EQ(slurp(path("bin/sh")), "content");
}

TEST_F(CpioTest, EqualCallsGiveEqualBytes) {
  EXPECT_EQ(sample(), sample());
  EXPECT_EQ(sample().size() % 512, 0u);
  EXPECT_THAT(sample(), HasSubstr("07070100000000"));  // the trailer is inode 0
}

}  // namespace
}  // namespace imgforge::image
