// What boot menus say, also those that say it badly.
#include "builder/inspect/boot_texts.hpp"

#include <gtest/gtest.h>

namespace imgforge::inspect {
namespace {

using Titles = std::vector<std::string>;

TEST(BootEntry, TitleAndCommandLine) {
  const BootTexts entry = parse_boot_entry(
      "# title no\ntitle   imgforge demo \nversion 6.6\nlinux /imgforge/vmlinuz\noptions root=UUID=1 "
      "quiet\r\n",
      "a");
  EXPECT_EQ(entry.titles, Titles{"imgforge demo"});
  EXPECT_EQ(entry.cmdline, "root=UUID=1 quiet");
}

TEST(BootEntry, IsCalledByItsFileWithoutATitle) {
  EXPECT_EQ(parse_boot_entry("", "imgforge-recovery").titles, Titles{"imgforge-recovery"});
  EXPECT_EQ(parse_boot_entry("title \ntitles x\n", "a").titles, Titles{"a"});
}

TEST(BootEntry, DefaultOfTheLoader) {
  EXPECT_EQ(default_entry("timeout 3\ndefault imgforge.conf\neditor no\n"), "imgforge.conf");
  EXPECT_EQ(default_entry("timeout 3\n"), "");
}

TEST(IsolinuxMenu, EveryLabelAndTheFirstCommandLine) {
  const BootTexts menu = parse_isolinux_menu(
      "DEFAULT imgforge\nLABEL imgforge\n  MENU LABEL imgforge demo\n  LINUX /vmlinuz\n  APPEND root=live\n"
      "LABEL recovery\n  MENU LABEL recovery\n  APPEND single\n");
  EXPECT_EQ(menu.titles, (Titles{"imgforge demo", "recovery"}));
  EXPECT_EQ(menu.cmdline, "root=live");
  EXPECT_TRUE(parse_isolinux_menu("").titles.empty());
}

/// The texts go to terminals and into JSON.
TEST(BootTexts, ArePrintable) {
  const BootTexts entry = parse_boot_entry("title \x1b[2Jx\noptions a\xff=\xc2\x9b\n", "a");
  EXPECT_EQ(entry.titles, Titles{"\\x1b[2Jx"});
  EXPECT_EQ(entry.cmdline, "a\\xff=\\xc2\\x9b");
  EXPECT_EQ(parse_boot_entry("", "\xe9").titles, Titles{"\\xe9"});
  const BootTexts menu = parse_isolinux_menu("MENU LABEL \xff\nAPPEND \x07\n");
  EXPECT_EQ(menu.titles, Titles{"\\xff"});
  EXPECT_EQ(menu.cmdline, "\\x07");
}

}  // namespace
}  // namespace imgforge::inspect
