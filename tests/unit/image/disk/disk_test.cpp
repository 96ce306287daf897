#include "builder/image/disk/disk.hpp"

#include <gmock/gmock.h>

#include "builder/image/boot/boot_files.hpp"
#include "builder/image/boot/elf.hpp"
#include "builder/image/disk/esp.hpp"
#include "builder/image/disk/qcow2.hpp"
#include "builder/image/raw_image.hpp"
#include "core/json.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::error_of;
using testing::fake_kernel;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TarBuilder;

class DiskTest : public testing::ImageTest {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists("/usr/lib/syslinux/mbr/gptmbr.bin"))
      GTEST_SKIP() << "syslinux-common is not installed";
    TarBuilder(path("rootfs.tar"))
        .directory("bin")
        .file("bin/busybox", slurp("/bin/ls"), 0755)  // any program with libraries
        .directory("boot")
        .file("boot/config-virt", "CONFIG_RD_ZSTD=y\n")
        .file("boot/vmlinuz-virt", fake_kernel("6.6.1-virt"))
        .directory("lib")
        .directory("lib/modules")
        .directory("lib/modules/6.6.1-virt")
        .file("lib/modules/6.6.1-virt/modules.builtin",
              "kernel/fs/ext4/ext4.ko\nkernel/fs/overlayfs/overlay.ko\n")
        .file("lib/modules/6.6.1-virt/modules.dep", "virtio_blk.ko: virtio.ko\nvirtio.ko:\n")
        .file("lib/modules/6.6.1-virt/virtio.ko", "one")
        .file("lib/modules/6.6.1-virt/virtio_blk.ko", "two")
        .directory("lib64")
        .file("lib64/ld-linux-x86-64.so.2", "loader", 0755)
        .finish();
    std::filesystem::create_directory(path("work"));
  }

  /// The tar again, with the libraries that /bin/ls needs.
  void add_libraries() {
    std::string names;
    TarBuilder tar(path("rootfs.tar"));
    tar.directory("bin").file("bin/busybox", slurp("/bin/ls"), 0755);
    tar.directory("boot").file("boot/vmlinuz-virt", fake_kernel("6.6.1-virt"));
    tar.directory("lib").directory("lib/modules").directory("lib/modules/6.6.1-virt");
    tar.file("lib/modules/6.6.1-virt/modules.builtin",
             "kernel/fs/ext4/ext4.ko\nkernel/fs/overlayfs/overlay.ko\n");
    tar.file("lib/modules/6.6.1-virt/modules.dep", "virtio_blk.ko: virtio.ko\nvirtio.ko:\n");
    tar.file("lib/modules/6.6.1-virt/virtio.ko", "one").file("lib/modules/6.6.1-virt/virtio_blk.ko", "two");
    tar.directory("lib64").file("lib64/ld-linux-x86-64.so.2", slurp("/lib64/ld-linux-x86-64.so.2"), 0755);
    tar.directory("usr").directory("usr/lib").directory("usr/lib/x86_64-linux-gnu");
    std::set<std::string> done{"ld-linux-x86-64.so.2"};
    std::vector<std::string> queue = read_elf_needs(slurp("/bin/ls"), "ls").needed;
    while (!queue.empty()) {
      const std::string name = queue.back();
      queue.pop_back();
      if (!done.insert(name).second) continue;
      const std::string content = slurp("/lib/x86_64-linux-gnu/" + name);
      tar.file("usr/lib/x86_64-linux-gnu/" + name, content, 0755);
      for (const std::string& more : read_elf_needs(content, name).needed) queue.push_back(more);
    }
    tar.finish();
  }

  DiskSpec spec() const {
    DiskSpec out;
    out.size = core::mib(80);
    out.identity = "test 1";
    out.epoch = 1763600000;
    out.menu.cmdline = {"quiet"};
    return out;
  }

  DiskLayout make(const std::string& name, const DiskSpec& wanted) const {
    const BootFiles boot = make_boot_files(path("rootfs.tar"), {}, path("work"));
    return make_disk(path("rootfs.tar"), boot, wanted, path(name), path("work"), core::system_processes(),
                     {});
  }
};

TEST_F(DiskTest, TheInitramfsHoldsBusyboxItsLibrariesAndTheModules) {
  add_libraries();
  const BootFiles boot = make_boot_files(path("rootfs.tar"), {}, path("work"));
  EXPECT_EQ(boot.kernels.at(0).release, "6.6.1-virt");
  EXPECT_EQ(boot.kernels.at(0).compression, InitramfsCompression::kGzip);
  EXPECT_EQ(boot.kernels.at(0).modules, 2u);
  run("gzip", {"-d", "-k", "-S", ".img", "work/initramfs.img"});
  const std::string listing = run("busybox", {"cpio", "-t"}, slurp(path("work/initramfs")));
  for (const char* name :
       {"init\n", "bin/busybox\n", "bin/sh\n", "lib/libc.so.6\n", "lib64/ld-linux-x86-64.so.2\n",
        "modules/virtio\n", "modules/virtio_blk.ko\n", "dev/console\n"}) {
    EXPECT_THAT(listing, HasSubstr(name));
  }
  run("busybox", {"cpio", "-id", "modules/virtio"}, slurp(path("work/initramfs")));
  EXPECT_EQ(slurp(path("modules/virtio")), "virtio.ko\nvirtio_blk.ko\n");
}

TEST_F(DiskTest, SaysWhatBusyboxLacks) {
  const core::Error error = error_of([&] { make_boot_files(path("rootfs.tar"), {}, path("work")); });
  EXPECT_EQ(error.kind(), core::Kind::kImage);
  EXPECT_THAT(error.message(), HasSubstr("which busybox needs"));
  EXPECT_TRUE(std::filesystem::is_empty(path("work")));
}

TEST_F(DiskTest, EveryPartOfTheDiskPassesItsOwnChecker) {
  add_libraries();
  const DiskLayout layout = make("disk.img", spec());
  EXPECT_THAT(run("sfdisk", {"-V", "disk.img"}), HasSubstr("No errors detected"));
  const core::Json table = core::parse_json(run("sfdisk", {"-J", "disk.img"}), "sfdisk").at("partitiontable");
  EXPECT_EQ(table.at("label"), "gpt");
  ASSERT_EQ(table.at("partitions").size(), 2u);
  EXPECT_EQ(table.at("partitions")[0].at("attrs"), "LegacyBIOSBootable");
  EXPECT_EQ(table.at("partitions")[0].at("type"), "C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
  EXPECT_EQ(table.at("partitions")[1].at("type"), "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709");
  EXPECT_EQ(table.at("partitions")[1].at("start").get<std::uint64_t>() * 512, layout.root_start);

  run("dd", {"if=disk.img", "of=esp.img", "bs=1M", "skip=1", "count=" + std::to_string(layout.esp_size >> 20),
             "status=none"});
  run("fsck.vfat", {"-n", "esp.img"});
  run("e2fsck", {"-fn", path("disk.img").native() + "?offset=" + std::to_string(layout.root_start)});
  EXPECT_EQ(slurp(path("disk.img")).substr(0, 440), slurp("/usr/lib/syslinux/mbr/gptmbr.bin").substr(0, 440));

  const std::string entry = run("mtype", {"-i", "esp.img", "::/loader/entries/imgforge.conf"});
  const std::string syslinux = run("mtype", {"-i", "esp.img", "::/syslinux/syslinux.cfg"});
  for (const std::string& text : {entry, syslinux}) {
    EXPECT_THAT(
        text, HasSubstr("root=PARTLABEL=" + layout.root_name + " rootfstype=ext4 ro imgforge.overlay=tmpfs"));
    EXPECT_THAT(text, HasSubstr(" quiet\n"));
    EXPECT_THAT(text, HasSubstr("/imgforge/vmlinuz\n"));
  }
}

TEST_F(DiskTest, EqualInputsGiveEqualBytesWhereverAndWheneverMade) {
  add_libraries();
  make("disk.img", spec());
  std::filesystem::create_directories(path("some/where,else:1"));
  ::usleep(2100000);  // FAT tells time in steps of 2 s
  make("some/where,else:1/other.img", spec());
  run("cmp", {"disk.img", "some/where,else:1/other.img"});

  DiskSpec other = spec();
  other.identity = "test 2";
  EXPECT_NE(make("third.img", other).root_filesystem_uuid, make("fourth.img", spec()).root_filesystem_uuid);
}

TEST_F(DiskTest, AWritableRootHasNoOverlay) {
  add_libraries();
  DiskSpec wanted = spec();
  wanted.root_access = RootAccess::kWritable;
  const DiskLayout layout = make("disk.img", wanted);
  EXPECT_THAT(layout.cmdline, ::testing::IsSupersetOf({"rw", "imgforge.overlay=none"}));
}

TEST_F(DiskTest, ADiskThatIsTooSmallIsRefusedAndLeavesNoImage) {
  add_libraries();
  DiskSpec wanted = spec();
  for (const core::Bytes size : {core::Bytes{0}, core::Bytes{511}, core::mib(20), core::mib(49)}) {
    wanted.size = size;
    const core::Error error = error_of([&] { make("disk.img", wanted); });
    EXPECT_EQ(error.kind(), core::Kind::kImage);
    EXPECT_THAT(error.hint(), HasSubstr("disk.size"));
    EXPECT_FALSE(std::filesystem::exists(path("disk.img")));
  }
}

TEST_F(DiskTest, AnImageThatIsThereIsNotTouched) {
  add_libraries();
  spill(path("disk.img"), "precious");
  error_of([&] { make("disk.img", spec()); });
  EXPECT_EQ(slurp(path("disk.img")), "precious");
}

TEST_F(DiskTest, AFileThatFatCannotHoldIsRefusedBeforeWriting) {
  std::ofstream(path("huge")).close();
  std::filesystem::resize_file(path("huge"), std::uint64_t{4} << 30);
  const core::Error error = error_of([&] { esp_size({{"imgforge/huge", path("huge")}}); });
  EXPECT_EQ(error.kind(), core::Kind::kImage);
  EXPECT_THAT(error.message(), HasSubstr("4 GiB"));
}

TEST_F(DiskTest, AVirtualDiskMayBeLargerThanTheHost) {
  add_libraries();
  DiskSpec wanted = spec();
  wanted.size = core::gib(20);
  make("disk.img", wanted);
  const Qcow2Facts facts = write_qcow2(path("disk.img"), path("disk.qcow2"), ClusterCompression::kZstd,
                                       core::system_processes(), {});
  EXPECT_EQ(facts.virtual_size, core::gib(20));
  EXPECT_LT(std::filesystem::file_size(path("disk.qcow2")), 20u << 20);
}

}  // namespace
}  // namespace imgforge::image
