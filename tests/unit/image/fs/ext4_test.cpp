#include "builder/image/fs/ext4.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "builder/image/raw_image.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using artifacts::EntryType;
using artifacts::TarEntry;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TarBuilder;

class Ext4Test : public testing::ImageTest {
 protected:
  static constexpr std::uint64_t kOffset = kMebibyte;
  static constexpr std::uint64_t kSize = 64 * kMebibyte;

  std::filesystem::path tar() const { return path("rootfs.tar"); }

  void make(const char* name = "disk.img", std::uint64_t size = kSize) const {
    RawImage image(path(name), core::Bytes{kOffset + size});
    make_ext4(tar(), path(name), {"0f0e0d0c-0b0a-8908-8706-050403020100", "root", kOffset, size, 1763600000},
              core::system_processes(), {});
    image.keep();
  }

  std::string device() const { return path("disk.img").native() + "?offset=1048576"; }
  void check() const { run("e2fsck", {"-fn", device()}); }
  std::string debugfs(const std::string& request) const { return run("debugfs", {"-R", request, device()}); }
};

TarEntry entry(std::string path, EntryType type, std::uint32_t mode = 0644) {
  TarEntry out;
  out.path = std::move(path);
  out.type = type;
  out.mode = mode;
  out.mtime = 1700000000;
  return out;
}

TEST_F(Ext4Test, KeepsOwnersModesTimesAndDevices) {
  TarBuilder tar_file(tar());
  TarEntry root = entry(".", EntryType::kDirectory, 0750);
  root.uid = 7;
  tar_file.add(root).directory("dev");
  TarEntry device = entry("dev/big", EntryType::kBlockDevice, 0660);
  device.device_major = 300;
  device.device_minor = 70000;
  tar_file.add(device);
  TarEntry null = entry("dev/null", EntryType::kCharDevice, 0666);
  null.device_major = 1;
  null.device_minor = 3;
  tar_file.add(null).add(entry("dev/pipe", EntryType::kFifo, 0600));
  TarEntry tool = entry("tool", EntryType::kFile, 06755);
  tool.uid = 100000;
  tool.gid = 200000;
  tool.mtime = 5000000000;  // the year 2128: needs the epoch bits
  tar_file.add(tool, "content");
  tar_file.finish();
  make();
  check();
  EXPECT_THAT(debugfs("stat /"), AllOf(HasSubstr("Mode:  0750"), ContainsRegex("User: +7 ")));
  EXPECT_THAT(debugfs("stat /dev/big"), HasSubstr("Device major/minor number: 300:70000"));
  EXPECT_THAT(debugfs("stat /dev/null"), AllOf(HasSubstr("character special"), HasSubstr("number: 01:03")));
  EXPECT_THAT(debugfs("stat /dev/pipe"), HasSubstr("FIFO"));
  EXPECT_THAT(debugfs("stat /tool"),
              AllOf(HasSubstr("Mode:  06755"), ContainsRegex("User: 100000 +Group: 200000"),
                    ContainsRegex("mtime: .* 2128"), ContainsRegex("crtime: .* 2128")));
}

TEST_F(Ext4Test, KeepsContentsLinksAndHoles) {
  std::string large(3 * kMebibyte + 1234, '\0');
  for (std::size_t i = 0; i < kMebibyte; ++i) large[i] = static_cast<char>(i * 131 >> 3);
  large.back() = 'x';
  const std::string far(200, 't');
  TarBuilder(tar())
      .file("empty", "")
      .link("fast", "large")
      .file("large", large)
      .link("large-again", "large", EntryType::kHardlink)
      .directory("lost+found", 0700)
      .link("slow", far)
      .file("zeros", std::string(kMebibyte, '\0'))
      .finish();
  make();
  check();
  run("debugfs", {"-R", "dump /large " + path("large.out").native(), device()});
  EXPECT_EQ(slurp(path("large.out")), large);
  run("debugfs", {"-R", "dump /zeros " + path("zeros.out").native(), device()});
  EXPECT_EQ(slurp(path("zeros.out")), std::string(kMebibyte, '\0'));
  EXPECT_THAT(debugfs("stat /zeros"), ContainsRegex("Blockcount: 0"));
  EXPECT_THAT(debugfs("stat /large"), AllOf(HasSubstr("Links: 2"), HasSubstr("Type: regular")));
  EXPECT_THAT(debugfs("stat /fast"), HasSubstr("Fast link dest: \"large\""));
  EXPECT_THAT(debugfs("cat /slow"), HasSubstr(far));
  EXPECT_THAT(debugfs("stat /empty"), HasSubstr("Size: 0"));
  struct stat status {};
  ASSERT_EQ(::stat(path("disk.img").c_str(), &status), 0);
  EXPECT_LT(status.st_blocks * 512, 8 << 20) << "the image should be sparse";
}

TEST_F(Ext4Test, KeepsExtendedAttributes) {
  TarBuilder tar_file(tar());
  TarEntry ping = entry("ping", EntryType::kFile, 0755);
  ping.xattrs["security.capability"] =
      std::string("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  ping.xattrs["user.note"] = std::string(900, 'n');  // too large for the inode: gets a block
  tar_file.add(ping, "x");
  tar_file.finish();
  make();
  check();
  EXPECT_THAT(debugfs("ea_list /ping"),
              AllOf(HasSubstr("security.capability (20)"), HasSubstr("user.note (900)")));
  EXPECT_THAT(debugfs("ea_get -x /ping security.capability"), HasSubstr("01 00 00 02 00 20"));
}

TEST_F(Ext4Test, HoldsManyNamesInOneDirectory) {
  TarBuilder tar_file(tar());
  tar_file.directory("many");
  for (int i = 0; i < 1500; ++i)
    tar_file.file("many/" + std::to_string(100000 + i) + std::string(80, 'n'), "x");
  tar_file.finish();
  make();
  check();
  EXPECT_THAT(debugfs("ls -p /many"), HasSubstr("/101499nnn"));
}

TEST_F(Ext4Test, EqualInputsGiveEqualBytes) {
  TarBuilder(tar()).directory("etc").file("etc/motd", "hello").link("sh", "busybox").finish();
  make("disk.img");
  std::filesystem::create_directory(path("other"));
  ::usleep(1100000);  // the clock's second changes
  make("other/disk.img");
  run("cmp", {"disk.img", "other/disk.img"});
}

TEST_F(Ext4Test, SaysHowMuchRoomIsMissing) {
  TarBuilder(tar()).file("big", std::string(30 * kMebibyte, 'b')).finish();
  const core::Error error = error_of([&] { make("disk.img", 24 * kMebibyte); });
  EXPECT_EQ(error.kind(), core::Kind::kImage);
  EXPECT_THAT(error.message(), HasSubstr("needs 31.5 MB"));
  EXPECT_THAT(error.hint(), HasSubstr("raise disk.size by at least"));
  EXPECT_EQ(names_left(), (std::set<std::string>{"rootfs.tar"}));
}

TEST_F(Ext4Test, ADamagedTarLeavesNothing) {
  TarBuilder(tar()).file("a", std::string(100000, 'a')).file("b", "b").finish();
  std::filesystem::resize_file(tar(), 50000);
  const core::Error error = error_of([&] { make(); });
  EXPECT_EQ(error.kind(), core::Kind::kArchive);
  EXPECT_EQ(names_left(), (std::set<std::string>{"rootfs.tar"}));
}

}  // namespace
}  // namespace imgforge::image
