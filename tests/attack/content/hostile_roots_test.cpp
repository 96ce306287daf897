// Images that lie, read for their files: each is told as malformed, by the check that verify --deep runs.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "builder/content/deep_check.hpp"
#include "builder/content/file_list.hpp"
#include "core/error.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::content {
namespace {

using artifacts::CheckRow;
using ::testing::AnyOf;
using ::testing::HasSubstr;

std::string big(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = size - 1; i >= 0; --i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

class HostileRoots : public image::testing::ImageTest {
 protected:
  void SetUp() override {
    // The list has one folder and one large file.
    FileList list;
    list["."] = {.type = kDirectory, .mode = 0755, .target = {}, .sha256 = {}, .attributes = {}};
    list["file"] = {.type = kRegular,
                    .mode = 0644,
                    .size = 5,
                    .target = {},
                    .sha256 = core::digest_of(core::HashAlgorithm::kSha256, "hello"),
                    .attributes = {}};
    write_file_list(list, path(kFileListFile), path("."), {});
    const core::FileDigests digests = core::file_digests(path(kFileListFile));
    manifest_.documents.push_back({std::string(kFileListFile), digests.size, digests.sha256, digests.sha512});
  }

  CheckRow check(std::string_view name, const std::string& format) const {
    artifacts::ManifestArtifact artifact;
    artifact.file = name;
    artifact.format = format;
    if (format == "netboot") artifact.media["role"] = "root";
    const core::CancelToken cancel;
    const auto rows = deep_check(cancel, {.processor = std::chrono::seconds(10),
                                          .time = std::chrono::seconds(20)})(path(name), artifact, manifest_);
    EXPECT_FALSE(rows.empty());
    return rows.empty() ? CheckRow{} : rows.front();
  }
  void expect_malformed(const std::string& content, const std::string& format,
                        const ::testing::Matcher<std::string>& why) const {
    spill(path("image"), content);
    const CheckRow row = check("image", format);
    EXPECT_FALSE(row.ok);
    EXPECT_EQ(row.reason, core::Reason::kMalformed) << row.detail;
    EXPECT_THAT(row.detail, why);
    EXPECT_EQ(slurp(path("image")), content);
  }

  /// The tree of the list, as squashfs or ext4.
  std::string squashfs() const {
    std::filesystem::create_directory(path("tree"));
    std::filesystem::permissions(path("tree"), std::filesystem::perms(0755));
    spill(path("tree/file"), "hello");
    std::filesystem::permissions(path("tree/file"), std::filesystem::perms(0644));
    run("mksquashfs", {"tree", "root.squashfs", "-quiet", "-no-progress", "-all-root", "-noappend"});
    return slurp(path("root.squashfs"));
  }
  std::string ext4() const {
    std::filesystem::remove(path("root.ext4"));
    run("mke2fs", {"-q", "-t", "ext4", "-b", "4096", "-O", "^has_journal", "root.ext4", "4M"});
    run("debugfs", {"-w", "-R", "mkdir folder", "root.ext4"});
    return slurp(path("root.ext4"));
  }

  artifacts::Manifest manifest_;
};

TEST_F(HostileRoots, WhatIsRightIsTaken) {
  spill(path("image"), squashfs());
  const CheckRow row = check("image", "netboot");
  EXPECT_TRUE(row.ok) << row.detail;
  EXPECT_THAT(row.detail, HasSubstr("2 files as listed"));
}

TEST_F(HostileRoots, Superblocks) {
  const std::string good = squashfs();
  for (const std::size_t at : {4, 12, 20, 22, 28, 32, 40, 48, 56, 64, 72, 80}) {
    std::string bad = good;
    bad.replace(at, 2, "\x7f\x7f");
    spill(path("image"), bad);
    const CheckRow row = check("image", "netboot");
    if (row.ok) continue;  // what nobody reads here
    EXPECT_EQ(row.reason, core::Reason::kMalformed) << at << row.detail;
  }
  expect_malformed("hsqs", "netboot", AnyOf(HasSubstr("squashfs"), HasSubstr("damaged")));
  expect_malformed(good.substr(0, 200), "netboot", HasSubstr("ends behind"));
  std::string bad = ext4();
  bad.replace(1024 + 24, 4, "\xff\xff\xff\x7f");  // s_log_block_size
  expect_malformed(bad, "netboot", HasSubstr("ext4 file system is damaged"));
}

TEST_F(HostileRoots, DirectoriesThatHoldThemselves) {
  ext4();
  run("debugfs", {"-w", "-R", "link <2> folder/up", "root.ext4"});
  expect_malformed(slurp(path("root.ext4")), "netboot", HasSubstr("go in a circle"));
}

TEST_F(HostileRoots, NamesThatNoFileCanHave) {
  ext4();
  run("debugfs", {"-w", "-R", "mknod ../../etc/passwd c 1 1", "root.ext4"});
  expect_malformed(slurp(path("root.ext4")), "netboot", HasSubstr("a name that no file can have"));
}

TEST_F(HostileRoots, ExtentsInACircleAndFilesLargerThanAllDisks) {
  ext4();
  spill(path("file"), "hello");
  run("debugfs", {"-w", "-R", "write file file", "root.ext4"});
  run("debugfs", {"-w", "-R", "set_inode_field file size 21474836480", "root.ext4"});
  spill(path("image"), slurp(path("root.ext4")));
  EXPECT_EQ(check("image", "netboot").reason, core::Reason::kDigestMismatch) << "20 GiB in no block";
  run("debugfs", {"-w", "-R", "set_inode_field file size 5", "root.ext4"});
  // The header of the extents says that it is four levels high, and its first entry leads to the inode table.
  for (const char* request : {"set_inode_field file block[0] 0x0001f30a",
                              "set_inode_field file block[1] 0x00040004", "set_inode_field file block[4] 1"})
    run("debugfs", {"-w", "-R", request, "root.ext4"});
  expect_malformed(slurp(path("root.ext4")), "netboot", HasSubstr("ext4 file system is damaged"));
}

TEST_F(HostileRoots, IsoDirectoriesInACircle) {
  std::string iso(64 * 2048, '\0');
  iso.replace(16 * 2048, 6, std::string("\x01") + "CD001");
  std::string record(36, '\0');
  record[0] = 36;
  record[2] = 20;
  record[11] = 8;
  record[25] = 2;
  record[32] = 1;
  iso.replace(16 * 2048 + 156, 34, record.substr(0, 34));
  iso[16 * 2048 + 156] = 34;
  record[33] = 'D';
  iso.replace(20 * 2048, 36, record);
  expect_malformed(iso, "iso", HasSubstr("go in a circle"));
  expect_malformed(std::string(64 * 2048, '\0'), "iso", HasSubstr("no root directory"));
}

TEST_F(HostileRoots, Qcow2) {
  spill(path("raw"), std::string(1 << 20, '\1'));
  run("qemu-img", {"convert", "-f", "raw", "-O", "qcow2", "-c", "raw", "good.qcow2"});
  const std::string good = slurp(path("good.qcow2"));
  expect_malformed(good, "qcow2", HasSubstr("no partition table"));
  const auto with = [&](std::size_t at, const std::string& bytes) {
    std::string bad = good;
    return bad.replace(at, bytes.size(), bytes);
  };
  expect_malformed(with(8, big(104, 8)), "qcow2", HasSubstr("backing file"));
  expect_malformed(with(72, big(4, 8)), "qcow2", HasSubstr("external file"));
  expect_malformed(with(24, big(std::uint64_t{1} << 60, 8)), "qcow2", HasSubstr("virtual size"));
  expect_malformed(with(40, big(std::uint64_t{1} << 50, 8)), "qcow2", HasSubstr("not inside the file"));
  // The first table leads behind the end, and to itself.
  const std::size_t first_table = 3 * 65536;
  expect_malformed(with(first_table, big(std::uint64_t{1} << 40, 8)), "qcow2",
                   HasSubstr("beyond its own end"));
  spill(path("image"), with(first_table, big(first_table, 8)));
  EXPECT_FALSE(check("image", "qcow2").ok);
  expect_malformed(good.substr(0, 60), "qcow2", HasSubstr("not a qcow2"));
}

TEST_F(HostileRoots, PipesAndLinksAreNoImages) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(check("pipe", "raw").ok);
  spill(path("image"), squashfs());
  std::filesystem::create_symlink("image", path("link"));
  EXPECT_FALSE(check("link", "netboot").ok);
  EXPECT_FALSE(check("nothing", "netboot").ok);
}

TEST_F(HostileRoots, ContainerImages) {
  expect_malformed(std::string(10240, '\0'), "oci", HasSubstr("no index.json"));
  expect_malformed("no tar at all", "rootfs", HasSubstr("archive truncated"));
}

}  // namespace
}  // namespace imgforge::content
