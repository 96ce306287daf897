#include "builder/image/fs/ext4.hpp"
#include "builder/image/fs/squashfs.hpp"
#include "builder/image/raw_image.hpp"
#include "unit/compare/compare_testing.hpp"

namespace imgforge::compare {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kUuid = "0f0e0d0c-0b0a-8908-8706-050403020100";

class FileSystems : public testing::CompareTest {
 protected:
  void tar(const std::string& text, std::uint32_t mode = 0644) const {
    image::testing::TarBuilder(path("tar"))
        .directory(".")
        .directory("etc")
        .file("etc/id", text, mode)
        .file("etc/same", "x")
        .finish();
  }
  void ext4(const char* name) const {
    std::filesystem::remove(path(name));
    image::RawImage image(path(name), core::mib(32));
    image::make_ext4(path("tar"), path(name), {kUuid, "root", 0, 32 * image::kMebibyte, 1763600000},
                     core::system_processes(), {});
    image.keep();
  }
  void squashfs(const char* name, std::int64_t epoch) const {
    image::make_squashfs(path("tar"), path(name), epoch, core::system_processes(), {});
  }
  void fat(const char* name, const std::string& id, const std::string& text) const {
    spill(path(name), std::string(4 << 20, '\0'));
    run("mkfs.fat", {"-i", id, "-n", "TEST", path(name).native()});
    spill(path("loader.conf"), text);
    run("mmd", {"-i", path(name).native(), "::/loader"});
    run("mcopy", {"-m", "-i", path(name).native(), path("loader.conf").native(), "::/loader/"});
  }
  void iso(const char* name, const std::string& id, const std::string& text) const {
    std::filesystem::create_directories(path("tree/boot"));
    spill(path("tree/boot/menu.cfg"), text);
    std::filesystem::remove(path(name));
    run("xorriso",
        {"-as", "mkisofs", "-quiet", "-r", "-V", id, "-o", path(name).native(), path("tree").native()});
  }
};

TEST_F(FileSystems, Ext4FilesAreToldByInodeFieldAndLine) {
  tar("one\n");
  ext4("a");
  tar("two\n", 0755);
  ext4("b");
  EXPECT_THAT(told(), HasSubstr("  /etc/id (text)\n"
                                "    i_mode: 0x81a4 -> 0x81ed\n"
                                "    line 1: \"one\" -> \"two\"\n"));
}

TEST_F(FileSystems, FieldsOfTheExt4SuperblockAreNamed) {
  tar("one\n");
  ext4("a");
  change(1024 + 0x30, std::string("\x00\xf1\x53\x65", 4));
  EXPECT_THAT(told(), AllOf(HasSubstr("file (ext4)\n  superblock\n    s_wtime: "),
                            HasSubstr("-> 2023-11-14T22:13:20Z")));
}

TEST_F(FileSystems, OtherBlocksOfExt4AreNamed) {
  tar("one\n");
  ext4("a");
  change(8 * image::kMebibyte + 100, "x");
  EXPECT_THAT(told(), HasSubstr("  block 2048: "));
}

TEST_F(FileSystems, AFieldOfAnInodeIsNamedWithItsPath) {
  tar("one\n");
  ext4("a");
  std::filesystem::copy_file(path("a"), path("b"));
  run("debugfs", {"-w", "-R", "set_inode_field /etc/id mtime @1600000000", path("b").native()});
  EXPECT_THAT(told(), AllOf(HasSubstr("/etc/id"),
                            HasSubstr("i_mtime: 2023-11-14T22:13:20Z (1700000000) -> 2020-09-13T12:26:40Z")));
}

TEST_F(FileSystems, SquashfsIsToldBySuperblockAndFile) {
  tar("one\n");
  squashfs("a", 1700000000);
  tar("two\n");
  squashfs("b", 1700000001);
  EXPECT_THAT(told(), AllOf(HasSubstr("file (squashfs)\n  superblock\n    mkfs_time: 2023-11-14T22:13:20Z"),
                            HasSubstr("  /etc/id (text)\n    line 1: \"one\" -> \"two\"\n")));
}

TEST_F(FileSystems, FatIsToldByBootSectorAndFile) {
  fat("a", "12345678", "timeout 1\n");
  fat("b", "87654321", "timeout 2\n");
  EXPECT_THAT(told(), AllOf(HasSubstr("file (vfat)\n  boot sector\n    BS_VolID: 0x12345678 -> 0x87654321\n"),
                            HasSubstr("/loader/loader.conf (text)\n"),
                            HasSubstr("line 1: \"timeout 1\" -> \"timeout 2\"\n")));
}

TEST_F(FileSystems, IsoIsToldByVolumeDescriptorAndFile) {
  iso("a", "FIRST", "default 1\n");
  iso("b", "SECOND", "default 2\n");
  EXPECT_THAT(
      told(),
      AllOf(HasSubstr("file (iso)\n"),
            HasSubstr("  primary volume descriptor\n    volume identifier: FIRST -> SECOND\n"),
            HasSubstr("  /boot/menu.cfg (text)\n"), HasSubstr("line 1: \"default 1\" -> \"default 2\"\n")));
}

}  // namespace
}  // namespace imgforge::compare
