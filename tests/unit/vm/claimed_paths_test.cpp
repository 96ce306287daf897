// Which paths a format claims, and formats recognised by content: with files of the real tools.
#include "builder/vm/claimed_paths.hpp"

#include <gmock/gmock.h>

#include "builder/image/bundle/netboot.hpp"
#include "builder/vm/artifact_boot.hpp"
#include "builder/vm/netboot_files.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::vm {
namespace {

using image::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> names_of(std::string_view format) {
  std::vector<std::string> names;
  for (const BootPath& path : boot_paths_of(format)) names.push_back(boot_path_name(path));
  return names;
}

TEST(BootPaths, EveryFormatClaimsItsOwn) {
  for (const char* format : {"qcow2", "raw", "vmdk", "vhdx", "vdi"})
    EXPECT_THAT(names_of(format), ElementsAre("disk BIOS", "disk UEFI"));
  EXPECT_THAT(names_of("iso"), ElementsAre("cd BIOS", "cd UEFI", "stick BIOS", "stick UEFI"));
  EXPECT_THAT(names_of("usb"), ElementsAre("stick BIOS", "stick UEFI"));
  EXPECT_THAT(names_of("netboot"), ElementsAre("kernel"));
  EXPECT_THAT(names_of("rootfs"), ElementsAre());
  for (const char* format : {"qcow2", "raw", "vmdk", "vhdx", "vdi", "iso", "usb", "netboot"}) {
    for (const BootPath& path : boot_paths_of(format)) EXPECT_NO_THROW(check_path_fits(path, format));
  }
}

TEST(BootPaths, WhatWasNotSeenToBootIsNamed) {
  artifacts::Manifest manifest;
  manifest.artifacts.push_back({"a.qcow2", "qcow2", 1, 0, {}, {}, {}});
  manifest.artifacts.push_back({"a-usb.img", "usb", 1, 0, {}, {}, {{"role", "image"}}});
  manifest.artifacts.push_back({"a-usb.img.bmap", "usb", 1, 0, {}, {}, {{"role", "bmap"}}});
  manifest.artifacts.push_back({"a.img", "raw", 1, 0, {}, {}, {{"secure_boot", "signed"}}});
  manifest.artifacts.push_back({"a.oci.tar", "oci", 1, 0, {}, {}, {}});
  manifest.boots.push_back({"a.qcow2", "disk UEFI", "tcg", core::mib(64), 1, {}});
  manifest.boots.push_back({"a-usb.img", "stick BIOS", "tcg", core::mib(64), 1, {}});
  EXPECT_THAT(unproven_boots(manifest), ElementsAre("a.qcow2 by disk BIOS", "a-usb.img by stick UEFI",
                                                    "a.img by disk UEFI", "a.img by disk UEFI Secure Boot"));
}

TEST(BootPaths, APathThatDoesNotFitIsRefused) {
  for (const auto& [path, format] : {std::pair{"cd BIOS", "qcow2"},
                                     {"stick UEFI", "vdi"},
                                     {"disk BIOS", "netboot"},
                                     {"kernel", "iso"},
                                     {"network", "raw"}}) {
    const core::Error error =
        error_of([&, path = path, format = format] { check_path_fits(parse_boot_path(path), format); });
    EXPECT_EQ(error.kind(), core::Kind::kUsage);
    EXPECT_THAT(error.message(), HasSubstr(path));
  }
  EXPECT_NO_THROW(check_path_fits(parse_boot_path("disk UEFI"), "iso"));
  EXPECT_NO_THROW(check_path_fits(parse_boot_path("network"), "netboot"));
}

TEST(BootPaths, SeveralPathsWriteSeveralFiles) {
  const BootPath path = parse_boot_path("cd UEFI");
  EXPECT_EQ(file_of_path("/a/shot.png", path, 1), "/a/shot.png");
  EXPECT_EQ(file_of_path("/a/shot.png", path, 2), "/a/shot-cd-UEFI.png");
  EXPECT_EQ(file_of_path("console", path, 2), "console-cd-UEFI");
}

class Detection : public image::testing::ImageTest {};

TEST_F(Detection, ReadsTheContentWhateverTheName) {
  for (const char* format : {"qcow2", "vmdk", "vhdx", "vdi"}) {
    run("qemu-img", {"create", "-f", format, "disk.img", "8M"});
    EXPECT_EQ(detect_format(path("disk.img")), format);
  }
  std::string sector(4096, '\0');
  sector.replace(510, 2, "\x55\xaa");
  spill(path("image.qcow2"), sector);
  EXPECT_EQ(detect_format(path("image.qcow2")), "raw");
  spill(path("x-usb.img"), sector);
  EXPECT_EQ(detect_format(path("x-usb.img")), "usb");
  std::filesystem::create_directory(path("tree"));
  spill(path("tree/file"), "x");
  run("xorriso", {"-as", "mkisofs", "-quiet", "-o", "cd", "tree"});
  EXPECT_EQ(detect_format(path("cd")), "iso");
}

TEST_F(Detection, SaysWhatIsWrongWithOtherFiles) {
  spill(path("disk.qcow2"), "too short");
  EXPECT_THAT(error_of([&] { detect_format(path("disk.qcow2")); }).message(), HasSubstr("no image"));
  spill(path("disk.img"), std::string(8192, 'x'));
  EXPECT_THAT(error_of([&] { detect_format(path("disk.img")); }).message(), HasSubstr("no image"));
  run("zstd", {"-q", "disk.img"});
  EXPECT_THAT(error_of([&] { detect_format(path("disk.img.zst")); }).message(), HasSubstr("compressed"));
  run("xz", {"-k", "disk.img"});
  EXPECT_THAT(error_of([&] { detect_format(path("disk.img.xz")); }).message(), HasSubstr("compressed"));
  run("bzip2", {"-k", "disk.img"});
  EXPECT_THAT(error_of([&] { detect_format(path("disk.img.bz2")); }).message(), HasSubstr("compressed"));
  run("tar", {"-cf", "disk.tar", "disk.img"});
  EXPECT_THAT(error_of([&] { detect_format(path("disk.tar")); }).message(), HasSubstr("an archive"));
  spill(path("vmlinuz"), image::testing::fake_kernel("6.1.0"));
  EXPECT_THAT(error_of([&] { detect_format(path("vmlinuz")); }).message(), HasSubstr("netboot set"));
  EXPECT_EQ(error_of([&] { detect_format(path("nothing")); }).kind(), core::Kind::kIo);
}

class Netboot : public image::testing::ImageTest {
 protected:
  void SetUp() override {
    for (const char* name : {"os-v1-vmlinuz", "os-v1-initramfs.img", "os-v1-root.squashfs", "os-v1.ipxe"})
      spill(path(name), name);
  }
};

TEST_F(Netboot, AnyFileNamesTheSet) {
  for (const char* name : {"os-v1-vmlinuz", "os-v1-initramfs.img", "os-v1-root.squashfs", "os-v1.ipxe"}) {
    EXPECT_EQ(detect_format(path(name)), "netboot");
    const NetbootFiles files = find_netboot_files(path(name), nullptr);
    EXPECT_EQ(slurp(files.kernel), "os-v1-vmlinuz");
    EXPECT_EQ(slurp(files.initramfs), "os-v1-initramfs.img");
    EXPECT_EQ(slurp(files.root), "os-v1-root.squashfs");
    EXPECT_EQ(slurp(files.script), "os-v1.ipxe");
  }
  std::filesystem::remove(path("os-v1-root.squashfs"));
  EXPECT_EQ(find_netboot_files(path("os-v1.ipxe"), nullptr).root, "");
  std::filesystem::remove(path("os-v1-initramfs.img"));
  EXPECT_THAT(error_of([&] { find_netboot_files(path("os-v1.ipxe"), nullptr); }).message(),
              HasSubstr("has no os-v1-initramfs.img"));
}

TEST_F(Netboot, TheManifestsRolesComeFirst) {
  artifacts::Manifest manifest;
  for (const auto& [file, role] : {std::pair{"os-v1-root.squashfs", "kernel"},
                                   {"os-v1-vmlinuz", "root"},
                                   {"os-v1-initramfs.img", "initramfs"},
                                   {"os-v1.ipxe", "script"}}) {
    artifacts::ManifestArtifact row;
    row.file = file;
    row.format = "netboot";
    row.media["role"] = role;
    manifest.artifacts.push_back(row);
  }
  const NetbootFiles files = find_netboot_files(path("os-v1.ipxe"), &manifest);
  EXPECT_EQ(slurp(files.kernel), "os-v1-root.squashfs");
  EXPECT_EQ(slurp(files.root), "os-v1-vmlinuz");
}

TEST_F(Netboot, TheScriptHoldsTheCommandLine) {
  EXPECT_EQ(image::netboot_cmdline(
                "#!ipxe\n# kernel none\n  kernel os-vmlinuz a=1  console=ttyS0\ninitrd x\nboot\n"),
            "a=1 console=ttyS0");
  EXPECT_EQ(image::netboot_cmdline("kernel --name k ${base}/vmlinuz quiet"), "quiet");
  EXPECT_EQ(image::netboot_cmdline("kernel vmlinuz"), "");
  EXPECT_EQ(error_of([] { image::netboot_cmdline("#!ipxe\nboot\n"); }).kind(), core::Kind::kImage);
  EXPECT_EQ(error_of([] { image::netboot_cmdline("kernel v root=${root}"); }).kind(), core::Kind::kImage);
}

TEST_F(Netboot, TheRootBecomesAnArchiveThatCpioReads) {
  write_root_archive(path("os-v1-root.squashfs"), path("root.cpio"));
  EXPECT_THAT(run("cpio", {"-t", "--quiet", "-F", "root.cpio"}), HasSubstr("root.squashfs"));
  run("cpio", {"-i", "--quiet", "-F", "root.cpio"});
  EXPECT_EQ(slurp(path("root.squashfs")), "os-v1-root.squashfs");
}

}  // namespace
}  // namespace imgforge::vm
