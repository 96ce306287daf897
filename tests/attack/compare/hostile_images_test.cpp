// Damaged and lying images: they are compared by bytes, and the reason is told.
#include "unit/compare/compare_testing.hpp"

namespace imgforge::compare {
namespace {

using ::testing::HasSubstr;

class HostileImages : public testing::CompareTest {
 protected:
  /// Both sides lie, and differ in their last byte.
  void lie(std::string content) const {
    content.back() = '\x01';
    spill(path("a"), content);
    content.back() = '\x02';
    spill(path("b"), content);
  }
  void expect_told_by_bytes() const {
    EXPECT_THAT(told(), ::testing::AnyOf(HasSubstr("bytes "), HasSubstr("byte ")));
  }
};

std::string number(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

TEST_F(HostileImages, AFatWhoseFilesGoInACircle) {
  std::string fat(64 * 512, '\0');
  fat.replace(11, 2, number(512, 2));
  fat.replace(13, 1, number(1, 1));
  fat.replace(14, 2, number(1, 2));
  fat.replace(16, 1, number(1, 1));
  fat.replace(17, 2, number(16, 2));
  fat.replace(19, 2, number(64, 2));
  fat.replace(22, 2, number(1, 2));
  fat.replace(54, 5, "FAT12");
  fat.replace(512, 6, std::string("\xf8\xff\xff\x03\x20\x00", 6));  // cluster 2 leads to 3, that to 2
  fat.replace(1024, 11, "A       TXT");
  fat.replace(1024 + 26, 2, number(2, 2));
  fat.replace(1024 + 28, 4, number(0xFFFFFFFF, 4));
  lie(fat);
  EXPECT_THAT(told(), HasSubstr("goes in a circle"));
  fat.replace(1024 + 11, 1, "\x10");  // a directory that is its own parent
  fat.replace(3 * 512, 11, "B          ");
  fat.replace(3 * 512 + 11, 1, "\x10");
  fat.replace(3 * 512 + 26, 2, number(2, 2));
  lie(fat);
  EXPECT_THAT(told(), HasSubstr("not looked into"));
  expect_told_by_bytes();
}

TEST_F(HostileImages, AnIsoWhoseDirectoriesGoInACircle) {
  std::string iso(64 * 2048, '\0');
  iso.replace(16 * 2048, 6, std::string("\x01") + "CD001");
  std::string record(34, '\0');
  record[0] = 34;
  record.replace(2, 4, number(20, 4));
  record.replace(10, 4, number(2048, 4));
  record[25] = 2;
  record[32] = 1;
  iso.replace(16 * 2048 + 156, 34, record);
  record[33] = 'A';
  iso.replace(20 * 2048, 34, record);
  lie(iso);
  EXPECT_THAT(told(), HasSubstr("go in a circle"));
  expect_told_by_bytes();
  record[25] = 0;  // a file behind the end
  record.replace(10, 4, number(0xFFFFFFFF, 4));
  iso.replace(20 * 2048, 34, record);
  lie(iso);
  EXPECT_THAT(told(), HasSubstr("ends behind it"));
}

TEST_F(HostileImages, TablesThatPointAnywhere) {
  std::string disk(1 << 16, '\0');
  disk.replace(510, 2, "\x55\xaa");
  disk.replace(512, 8, "EFI PART");
  disk.replace(512 + 32, 8, std::string(8, '\xff'));
  disk.replace(512 + 72, 8, std::string(8, '\xff'));
  disk.replace(512 + 80, 4, std::string(4, '\xff'));
  disk.replace(512 + 84, 4, number(128, 4));
  lie(disk);
  expect_told_by_bytes();
  disk.replace(512 + 72, 8, number(2, 8));
  disk.replace(1024, 128, std::string(128, '\xff'));
  lie(disk);
  expect_told_by_bytes();
}

TEST_F(HostileImages, HeadersWithNothingBehindThem) {
  for (const std::string& head :
       {std::string("QFI\xfb"), std::string("hsqs"), std::string("070701"), std::string("\x1f\x8b\x08"),
        std::string("\x28\xb5\x2f\xfd"),
        std::string("\x7f"
                    "ELF\x02\x01"),
        std::string("MZ"), std::string(1080, '\0') + "\x53\xef", std::string(257, '\0') + "ustar"}) {
    lie(head + std::string(4096, '\xff'));
    expect_told_by_bytes();
    pair(head + "x", head + "y");
    expect_told_by_bytes();
  }
}

TEST_F(HostileImages, ACpioThatClaimsMoreThanItHas) {
  const std::string header =
      "070701" + std::string(8 * 6, '0') + "FFFFFFFF" + std::string(8 * 4, '0') + "00000005" + "00000000";
  lie(header + "name" + std::string(20, '\0'));
  EXPECT_THAT(told(), HasSubstr("ends within a member"));
}

TEST_F(HostileImages, NamesDoNotReachTheTerminal) {
  for (const char* name : {"a", "b"}) {
    image::testing::TarBuilder(path(name)).file("evil\x1b[2J\nname", name).finish();
  }
  EXPECT_THAT(told(), HasSubstr("/evil\\x1b[2J\\nname"));
}

}  // namespace
}  // namespace imgforge::compare
