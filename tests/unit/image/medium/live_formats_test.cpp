// The parts of live images, each made by the real program and then damaged.
#include <gmock/gmock.h>

#include "builder/image/bundle/netboot.hpp"
#include "builder/image/bundle/oci.hpp"
#include "builder/image/disk/foreign/foreign_disk.hpp"
#include "builder/image/disk/foreign/foreign_identifiers.hpp"
#include "builder/image/fs/squashfs.hpp"
#include "builder/image/medium/bmap.hpp"
#include "builder/image/medium/iso.hpp"
#include "builder/image/raw_image.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::TarBuilder;

class LiveFormats : public testing::ImageTest {
 protected:
  /// Overwrites a byte.
  void spoil(const std::string& name, std::size_t offset) const {
    std::fstream file(path(name), std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(file.get() ^ 0x55);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
  }

  void write_tar() const {
    artifacts::TarEntry owned;
    owned.path = "srv/owned";
    owned.mode = 04751;
    owned.uid = 1234;
    owned.gid = 70000;
    TarBuilder(path("rootfs.tar")).directory(".", 0750).directory("srv").add(owned, "content").finish();
  }
};

TEST_F(LiveFormats, SquashfsHoldsOwnersModesAndTheRootDirectory) {
  write_tar();
  make_squashfs(path("rootfs.tar"), path("a.squashfs"), 1700000000, core::system_processes(), {});
  ::usleep(1100000);  // the time of the making must not be inside
  make_squashfs(path("rootfs.tar"), path("b.squashfs"), 1700000000, core::system_processes(), {});
  run("cmp", {"a.squashfs", "b.squashfs"});
  const std::string listing = run("unsquashfs", {"-lln", "a.squashfs"});
  EXPECT_THAT(listing, HasSubstr("-rwsr-x--x 1234/70000"));
  EXPECT_THAT(listing, HasSubstr("drwxr-x--- 0/0"));
  EXPECT_EQ(check_squashfs(path("a.squashfs"), core::system_processes(), {}), 1u);
  spill(path("short"), slurp(path("a.squashfs")).substr(0, 200));
  EXPECT_EQ(error_of([&] { check_squashfs(path("short"), core::system_processes(), {}); }).kind(),
            core::Kind::kImage);
}

TEST_F(LiveFormats, ATarWithoutRootDirectoryIsRefusedAndLeavesNothing) {
  TarBuilder(path("odd.tar")).directory("srv").finish();
  EXPECT_EQ(
      error_of([&] { make_squashfs(path("odd.tar"), path("x"), 1, core::system_processes(), {}); }).kind(),
      core::Kind::kImage);
  EXPECT_FALSE(std::filesystem::exists(path("x")));
}

TEST_F(LiveFormats, VolumeIdsFitAndTellLongLinesApart) {
  EXPECT_EQ(volume_id_for("unhinged-os-minimal"), "UNHINGED_OS_MINIMAL");
  const std::string line(40, 'a');
  EXPECT_EQ(volume_id_for(line).size(), 32u);
  EXPECT_NE(volume_id_for(line + "b"), volume_id_for(line + "c"));
  for (const std::string& id : {volume_id_for(line), volume_id_for("a.b+c")})
    EXPECT_NO_THROW(check_volume_id(id));
  EXPECT_THAT(error_of([&] { check_volume_id(std::string(35, 'A')); }).message(),
              HasSubstr("3 characters too long"));
  for (const char* id : {"", "lower", "A B", "A;1"}) {
    EXPECT_EQ(error_of([&] { check_volume_id(id); }).kind(), core::Kind::kImage) << id;
  }
}

TEST_F(LiveFormats, TheSameIsoComesOutWhateverOrderItsFilesWereMadeIn) {
  const std::vector<std::string> names{"vmlinuz", "initramfs.img", "root.squashfs"};
  const auto make = [&](const std::string& folder, bool backwards) {
    std::filesystem::create_directories(path(folder) / "work");
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string& name = names[backwards ? names.size() - 1 - i : i];
      spill(path(folder) / name, std::string(50000, name.front()));
    }
    BootFiles boot;
    boot.kernels.resize(1);
    boot.kernels[0].kernel = path(folder) / names[0];
    boot.kernels[0].initramfs = path(folder) / names[1];
    IsoSpec spec;
    spec.volume_id = "DEMO";
    spec.identity = "demo";
    spec.epoch = 1700000000;
    make_iso(path(folder) / names[2], boot, spec, path(folder) / "demo.iso", path(folder) / "work",
             core::system_processes(), {});
  };
  make("a", false);
  make("b", true);
  run("cmp", {"a/demo.iso", "b/demo.iso"});
  const IsoFacts facts = check_iso(path("a") / "demo.iso", core::system_processes(), {});
  EXPECT_TRUE(facts.bios && facts.uefi);
}

TEST_F(LiveFormats, WhatIsNoWholeIsoIsRefused) {
  spill(path("tree"), "content");
  run("xorriso", {"-as", "mkisofs", "-quiet", "-V", "DATA", "-o", "data.iso", "tree"});
  const IsoFacts facts = check_iso(path("data.iso"), core::system_processes(), {});
  EXPECT_EQ(facts.volume_id, "DATA");
  EXPECT_FALSE(facts.bios || facts.uefi);
  const std::string whole = slurp(path("data.iso"));
  spill(path("empty.iso"), "");
  spill(path("zeros.iso"), std::string(200000, '\0'));
  spill(path("cut.iso"), whole.substr(0, whole.size() / 2));
  for (const char* name : {"empty.iso", "zeros.iso", "cut.iso"}) {
    const core::Error error = error_of([&] { check_iso(path(name), core::system_processes(), {}); });
    EXPECT_EQ(error.kind(), core::Kind::kImage) << name;
    EXPECT_THAT(error.message(), HasSubstr("not a whole ISO image")) << name;
  }
}

TEST_F(LiveFormats, ABlockMapCoversAllButTheUnusedAndFindsEveryChange) {
  spill(path("image"), std::string(100 * 4096 + 17, 'x'));
  const std::string map = make_bmap(path("image"), {{10 * 4096 - 5, 20 * 4096}}, {});
  spill(path("image.bmap"), map);
  EXPECT_EQ(check_bmap(path("image.bmap"), path("image"), {}), 101u - 19u);
  run("bmaptool", {"copy", "--bmap", "image.bmap", "image", "target"});
  spoil("image", 15 * 4096);  // in the unused part
  EXPECT_NO_THROW(check_bmap(path("image.bmap"), path("image"), {}));
  for (const std::size_t offset :
       {std::size_t{0}, std::size_t{9 * 4096}, std::size_t{30 * 4096}, std::size_t{100 * 4096 + 16}}) {
    spoil("image", offset);
    EXPECT_EQ(error_of([&] { check_bmap(path("image.bmap"), path("image"), {}); }).kind(), core::Kind::kImage)
        << offset;
    spoil("image", offset);
  }
  spoil("image.bmap", map.find("> 0-") + 4);
  EXPECT_EQ(error_of([&] { check_bmap(path("image.bmap"), path("image"), {}); }).kind(), core::Kind::kImage);
}

TEST_F(LiveFormats, AnOciLayoutWithAChangedOrMissingBlobIsRefused) {
  spill(path("layer"), "not really a layer");
  OciSpec spec;
  spec.name = "demo";
  spec.rootfs = core::digest_of(core::HashAlgorithm::kSha256, "tar");
  write_oci(path("layer"), spec, path("image.tar"), {});
  EXPECT_EQ(check_oci(path("image.tar"), {}), 1u);
  const std::size_t place = slurp(path("image.tar")).find("not really");
  spoil("image.tar", place);
  EXPECT_THAT(error_of([&] { check_oci(path("image.tar"), {}); }).message(), HasSubstr("other bytes"));
  TarBuilder(path("other.tar")).file("oci-layout", "{}").finish();
  EXPECT_EQ(error_of([&] { check_oci(path("other.tar"), {}); }).kind(), core::Kind::kImage);
}

TEST_F(LiveFormats, AnOciLayoutReplacesNothingAndIsNeverHalf) {
  spill(path("layer"), "not really a layer");
  OciSpec spec;
  spec.rootfs = core::digest_of(core::HashAlgorithm::kSha256, "tar");
  spill(path("taken"), "mine");
  EXPECT_EQ(error_of([&] { write_oci(path("layer"), spec, path("taken"), {}); }).kind(), core::Kind::kIo);
  EXPECT_EQ(slurp(path("taken")), "mine");
  core::CancelToken cancelled;
  cancelled.cancel();
  EXPECT_THROW(write_oci(path("layer"), spec, path("half"), cancelled), core::Error);
  EXPECT_FALSE(std::filesystem::exists(path("half")));
}

TEST_F(LiveFormats, DisksOfOthersMustBeWhatTheirNameSays) {
  RawImage(path("disk.raw"), core::mib(8)).keep();
  for (const ForeignFormat format : {ForeignFormat::kVmdk, ForeignFormat::kVhdx, ForeignFormat::kVdi}) {
    const std::string name(foreign_format_name(format));
    for (const char* copy : {"a", "b"}) {
      std::filesystem::create_directory(path(name + copy));
      write_foreign_disk(path("disk.raw"), path(name + copy) / "disk", format, "demo",
                         core::system_processes(), {});
    }
    run("cmp", {name + "a/disk", name + "b/disk"});
    EXPECT_EQ(check_foreign_disk(path(name + "a") / "disk", format, core::system_processes(), {}),
              core::mib(8));
    EXPECT_EQ(
        error_of([&] { check_foreign_disk(path("disk.raw"), format, core::system_processes(), {}); }).kind(),
        core::Kind::kImage);
  }
  // A descriptor in text names any file of the host as its extent.
  spill(path("text.vmdk"),
        "# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\nRW 16384 FLAT \"/etc/shadow\" 0\n");
  EXPECT_THAT(error_of([&] {
                check_foreign_disk(path("text.vmdk"), ForeignFormat::kVmdk, core::system_processes(), {});
              }).message(),
              HasSubstr("is no vmdk image"));
}

TEST_F(LiveFormats, AShortRandomNumberInAVmdkIsReplacedWhole) {
  RawImage(path("disk.raw"), core::mib(8)).keep();
  write_foreign_disk(path("disk.raw"), path("good.vmdk"), ForeignFormat::kVmdk, "demo",
                     core::system_processes(), {});
  const std::string good = slurp(path("good.vmdk"));
  const std::size_t at = good.find("CID=");
  const std::size_t end = good.find('\0', at);
  ASSERT_NE(at, std::string::npos);
  for (const std::size_t digits : {std::size_t{1}, std::size_t{7}}) {
    // As qemu-img writes a number with leading zeros: the text behind it stands further in front.
    std::string shorter = good;
    shorter.replace(at + 4, 8, std::string(digits, 'a'));
    shorter.insert(end - (8 - digits), 8 - digits, '\0');
    ASSERT_EQ(shorter.size(), good.size());
    spill(path("short.vmdk"), shorter);
    set_vmdk_identifiers(path("short.vmdk"), "imgforge vmdk demo");
    EXPECT_TRUE(slurp(path("short.vmdk")) == good) << digits;
  }
}

TEST_F(LiveFormats, TheScriptForIpxeSaysWhatTheKernelGets) {
  BootFiles boot;
  boot.kernels.resize(1);
  boot.kernels[0].release = "6.6.1";
  MenuOptions menu;
  menu.cmdline = {"panic=1"};
  const NetbootScript script =
      make_netboot_script(boot, menu, {"a-vmlinuz", "a-initramfs.img", "a-root.squashfs"});
  EXPECT_THAT(script.text, ::testing::StartsWith("#!ipxe\n"));
  EXPECT_THAT(script.text, HasSubstr("\ninitrd a-root.squashfs /root.squashfs\n"));
  EXPECT_EQ(netboot_cmdline(script.text), "initrd=initrd.magic " + join_cmdline(script.cmdline));
  EXPECT_THAT(script.cmdline, ::testing::IsSupersetOf({"root=file:/root.squashfs", "panic=1"}));
}

}  // namespace
}  // namespace imgforge::image
