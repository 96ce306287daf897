#include "builder/image/boot/boot_menu.hpp"

#include <gmock/gmock.h>

#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;

BootFiles two_kernels() {
  BootFiles boot;
  boot.kernels.resize(2);
  boot.kernels[0].release = "6.6.2";
  boot.kernels[1].release = "6.6.1";
  return boot;
}

std::vector<std::string> ids(const BootMenu& menu) {
  std::vector<std::string> out;
  for (const BootEntry& entry : menu.entries) out.push_back(entry.id);
  return out;
}

TEST(BootMenu, OffersTheNewestKernelTheOneBeforeItAndRecovery) {
  const BootMenu menu = make_menu(two_kernels(), {}, {"root=UUID=1", "ro"});
  EXPECT_THAT(ids(menu), ElementsAre("imgforge", "imgforge-1", "imgforge-recovery"));
  EXPECT_EQ(menu.default_id, "imgforge");
  EXPECT_EQ(menu.entries[1].kernel, "imgforge/vmlinuz-1");
  EXPECT_EQ(menu.entries[1].initramfs, "imgforge/initramfs-1.img");
  EXPECT_EQ(menu.entries[1].version, "6.6.1");
  EXPECT_EQ(menu.entries[2].version, "6.6.2");
  EXPECT_THAT(menu.entries[0].cmdline, Not(Contains("imgforge.shell")));
  EXPECT_THAT(menu.entries[2].cmdline, Contains("imgforge.shell"));
}

TEST(BootMenu, RecoveryIsNeverQuietAndCanBeLeftOut) {
  MenuOptions options;
  options.quiet = Quiet::kYes;
  BootMenu menu = make_menu(two_kernels(), options, {"root=UUID=1"});
  EXPECT_THAT(menu.entries.front().cmdline, Contains("quiet"));
  EXPECT_THAT(menu.entries.back().cmdline, Not(Contains("quiet")));
  options.recovery = Recovery::kNo;
  options.default_entry = DefaultEntry::kRecovery;
  menu = make_menu(two_kernels(), options, {"root=UUID=1"});
  EXPECT_THAT(ids(menu), ElementsAre("imgforge", "imgforge-1"));
  EXPECT_EQ(menu.default_id, "imgforge");
}

TEST(BootMenu, BothLoadersBootTheSameThing) {
  MenuOptions options;
  options.title = "My\nimage";
  options.timeout = 3;
  const BootMenu menu = make_menu(two_kernels(), options, {"root=UUID=1", "ro"});
  EXPECT_EQ(systemd_boot_entry(menu.entries[0]),
            "title My image\nversion 6.6.2\nlinux /imgforge/vmlinuz\ninitrd /imgforge/initramfs.img\n"
            "options root=UUID=1 ro console=tty0 console=ttyS0,115200\n");
  EXPECT_EQ(systemd_boot_config(menu), "default imgforge.conf\ntimeout 3\neditor no\n");
  const std::string syslinux = syslinux_config(menu);
  EXPECT_THAT(syslinux, HasSubstr("DEFAULT imgforge\nPROMPT 0\nTIMEOUT 30\nUI menu.c32\n"));
  EXPECT_THAT(syslinux, HasSubstr("LABEL imgforge\n  MENU LABEL My image\n  LINUX /imgforge/vmlinuz\n"
                                  "  INITRD /imgforge/initramfs.img\n  APPEND root=UUID=1 ro console=tty0"));
  EXPECT_THAT(syslinux, HasSubstr("LABEL imgforge-recovery\n"));
}

TEST(BootMenu, WithoutTimeoutThereIsNoMenuToWaitFor) {
  const std::string syslinux = syslinux_config(make_menu(two_kernels(), {}, {"ro"}));
  EXPECT_THAT(syslinux, Not(HasSubstr("menu.c32")));
}

TEST(BootMenu, RefusesWordsThatWouldChangeTheFile) {
  for (const char* word : {"", "a b", "a\nAPPEND init=/bin/sh", "a\tb", "caf\xc3\xa9"}) {
    EXPECT_EQ(error_of([&] { join_cmdline({"ro", word}); }).kind(), core::Kind::kImage) << word;
  }
  EXPECT_EQ(error_of([&] { join_cmdline({std::string(2001, 'x')}); }).kind(), core::Kind::kImage);
}

}  // namespace
}  // namespace imgforge::image
