#include "builder/image/loader_config.hpp"

#include <gmock/gmock.h>

#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(LoaderConfig, BothLoadersBootTheSameThing) {
  const BootEntry entry{
      "My\nimage", "6.6.1", "/imgforge/vmlinuz", "/imgforge/initramfs.img", {"root=UUID=1", "ro"}};
  EXPECT_EQ(systemd_boot_entry(entry),
            "title My image\nversion 6.6.1\nlinux /imgforge/vmlinuz\ninitrd /imgforge/initramfs.img\n"
            "options root=UUID=1 ro\n");
  EXPECT_THAT(syslinux_config(entry), HasSubstr("LINUX /imgforge/vmlinuz\n"));
  EXPECT_THAT(syslinux_config(entry), HasSubstr("APPEND root=UUID=1 ro\n"));
}

TEST(LoaderConfig, RefusesWordsThatWouldChangeTheFile) {
  for (const char* word : {"", "a b", "a\nAPPEND init=/bin/sh", "a\tb", "caf\xc3\xa9"}) {
    EXPECT_EQ(error_of([&] { join_cmdline({"ro", word}); }).kind(), core::Kind::kImage) << word;
  }
  EXPECT_EQ(error_of([&] { join_cmdline({std::string(2001, 'x')}); }).kind(), core::Kind::kImage);
}

}  // namespace
}  // namespace imgforge::image
