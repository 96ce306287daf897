// Texts that a root file system says of itself, and what a file's first bytes tell.
#include <gtest/gtest.h>

#include <fstream>

#include "builder/inspect/inspect.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::inspect {
namespace {

TEST(RootFacts, OsReleaseKeepsValuesWithoutTheirQuotes) {
  const auto members = parse_os_release(
      "NAME=\"Alpine Linux\"\nID=alpine\n# comment=1\nVERSION_ID='3.22.2'\nEMPTY=\nODD=\"\nno equals sign\n");
  EXPECT_EQ(members.at("NAME"), "Alpine Linux");
  EXPECT_EQ(members.at("ID"), "alpine");
  EXPECT_EQ(members.at("VERSION_ID"), "3.22.2");
  EXPECT_EQ(members.at("EMPTY"), "");
  EXPECT_EQ(members.at("ODD"), "\"");
  EXPECT_EQ(members.size(), 5U);
}

TEST(RootFacts, InstalledDatabaseGivesNamesAndVersions) {
  const auto packages = parse_installed(
      "C:Q1abc=\nP:musl\nV:1.2.5-r1\nA:x86_64\nF:lib\nR:ld.so\n\nC:Q1x\nP:zlib\nV:1.3.1-r2\n\nV:stray\n\nP:"
      "\nV:1\n");
  EXPECT_EQ(packages, (std::map<std::string, std::string>{{"musl", "1.2.5-r1"}, {"zlib", "1.3.1-r2"}}));
}

/// They go to terminals and into JSON, which takes nothing but UTF-8.
TEST(RootFacts, ArePrintable) {
  EXPECT_EQ(
      parse_os_release("PRETTY_NAME=\"\xff\x1b[2J\"\nB\xe9=caf\xc3\xa9\n"),
      (std::map<std::string, std::string>{{"PRETTY_NAME", "\\xff\\x1b[2J"}, {"B\\xe9", "caf\xc3\xa9"}}));
  EXPECT_EQ(parse_installed("P:a\xff\nV:1\x9b\n"),
            (std::map<std::string, std::string>{{"a\\xff", "1\\x9b"}}));
}

TEST(FormatOf, GoesByNameForArchivesAndByContentForTheRest) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-test");
  const auto make = [&](const char* name, const std::string& content) {
    std::ofstream(folder / name, std::ios::binary) << content;
    return folder / name;
  };
  EXPECT_EQ(format_of(make("x.rootfs.tar.zst", "")), "rootfs");
  EXPECT_EQ(format_of(make("x.oci.tar", "")), "oci");
  EXPECT_EQ(format_of(make("x.vm.tar", "")), "vm");
  EXPECT_EQ(format_of(make("x.img.zst", "")), "raw");
  EXPECT_EQ(format_of(make("x-usb.img.zst", "")), "usb");
  EXPECT_EQ(format_of(make("any", "hsqs" + std::string(100, 'x'))), "squashfs");
  EXPECT_EQ(format_of(make("any2", "QFI\xfb" + std::string(100, 'x'))), "qcow2");
  EXPECT_THROW(format_of(make("text", "just a text")), core::Error);
  EXPECT_EQ(file_system_at(folder / "text", 0), "");
  EXPECT_EQ(file_system_at(folder / "text", 1 << 20), "");
}

}  // namespace
}  // namespace imgforge::inspect
