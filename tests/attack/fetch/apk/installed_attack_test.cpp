// apk's database of installed packages out of hostile images.
#include <gmock/gmock.h>

#include "builder/fetch/apk/repository/apk_installed.hpp"
#include "core/error.hpp"

namespace imgforge::fetch {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kIdentity = "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

std::string record(const std::string& name, const std::string& more = "") {
  return kIdentity + "P:" + name + "\nV:1.0-r0\nA:x86_64\nS:10\nI:20\nL:MIT\no:source\n" + more + "\n";
}

void expect_refused(const std::string& text, const std::string& says,
                    core::Kind kind = core::Kind::kPackage) {
  try {
    parse_installed(text, "the database");
    ADD_FAILURE() << "accepted; expected: " << says;
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.message();
    EXPECT_THAT(error.message(), HasSubstr(says));
  }
}

TEST(Installed, LinesOfFilesArePassedOver) {
  const std::string files =
      "F:lib\nM:0:0:755\nR:a.so\na:0:0:755\nZ:Q1xyz=\nR:b.so\nZ:Q1xyz=\nF:usr\nF:\nq:1\ns:main\nf:x\n";
  const std::vector<IndexEntry> entries =
      parse_installed(record("musl", files) + record("g++") + "\n\n", "the database");
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(entries[0].name, "musl");
  EXPECT_EQ(entries[0].version, "1.0-r0");
  EXPECT_EQ(entries[0].arch, "x86_64");
  EXPECT_EQ(entries[0].unpacked, 20U);
  EXPECT_EQ(entries[0].license, "MIT");
  EXPECT_EQ(entries[1].name, "g++");
  EXPECT_THAT(parse_installed("", "the database"), IsEmpty());
  EXPECT_THAT(parse_installed("\n\n", "the database"), IsEmpty());
}

TEST(Installed, VirtualPackagesAreLeftOut) {
  const std::string virtual_one = kIdentity + "P:.build-deps\nV:20260101.120000\nA:noarch\n\n";
  EXPECT_THAT(parse_installed(virtual_one + record("musl"), "the database"), SizeIs(1));
  expect_refused(kIdentity + "P:..\nV:1\nA:noarch\n\n", "bad package name");
  expect_refused(kIdentity + "P:.\nV:1\nA:noarch\n\n", "bad package name");
}

TEST(Installed, EachNeededFieldIsNeeded) {
  for (const char field : {'C', 'P', 'V', 'A'}) {
    std::string text = record("musl");
    const std::size_t at = text.find(std::string(1, field) + ":");
    text.erase(at, text.find('\n', at) + 1 - at);
    expect_refused(text, std::string("without field ") + field);
  }
  expect_refused("F:lib\nR:a.so\n\n", "without field C");
}

TEST(Installed, NamesAreSafeAndThereOnce) {
  expect_refused(record("musl") + record("busybox") + record("musl"), "musl is installed twice");
  for (const char* name : {"../musl", "a b", "", "-x", "a/b", "a\"b", "\x1b[31m"})
    expect_refused(record(name), "bad package name");
  expect_refused(record("musl", "V:2.0-r0\n"), "field V twice");
  expect_refused(record("musl", "P:other\n"), "field P twice");
}

TEST(Installed, OtherTextsAreRefusedWithTheLine) {
  expect_refused("{\"packages\": []}\n", "line 1: not a field");
  expect_refused(record("musl") + "garbage\n", "line 10: not a field");
  expect_refused(record("musl", std::string("T:a\0b\n", 6)), "NUL byte");
  expect_refused(record("musl", "k:many\n"), "not a number");
  expect_refused("C:Q1short\nP:a\nV:1\nA:x\n\n", "malformed package checksum");
  expect_refused("C:md5\nP:a\nV:1\nA:x\n\n", "unknown kind of package checksum");
  expect_refused(kIdentity + "P:a\nV:one\nA:x86_64\n\n", "bad version");
  expect_refused(kIdentity + "P:a\nV:1\nA:../x\n\n", "arch");
}

TEST(Installed, BoundsAreKept) {
  std::string many;
  for (std::size_t i = 0; i <= kMaxInstalled; ++i) many += record("p" + std::to_string(i));
  expect_refused(many, "more than 10000 packages", core::Kind::kUnsafe);
  expect_refused(std::string(kMaxInstalledBytes + 1, '\n'), "larger than 64 MiB", core::Kind::kUnsafe);
  const std::string long_line = record("musl", "T:" + std::string(1 << 20, 'x') + "\n");
  EXPECT_THAT(parse_installed(long_line, "the database"), SizeIs(1));
}

}  // namespace
}  // namespace imgforge::fetch
