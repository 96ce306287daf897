// QEMU's command line for each path into an image, and the names of the paths.
#include "builder/vm/qemu_arguments.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "core/text.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::vm {
namespace {

using image::testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;

std::string line_for(const BootSpec& spec) {
  return core::join(qemu_arguments(spec, {"/w/variables.fd", "/w/initramfs.img"}), " ");
}

BootSpec spec_for(const char* path) {
  BootSpec spec;
  spec.path = parse_boot_path(path);
  spec.image = "/srv/image";
  return spec;
}

TEST(BootPath, EveryPathIsReadBackFromItsName) {
  std::set<std::string> names;
  for (const BootPath& path : boot_paths()) {
    EXPECT_EQ(parse_boot_path(boot_path_name(path)), path);
    names.insert(boot_path_name(path));
  }
  EXPECT_EQ(names.size(), 11u);
  EXPECT_EQ(parse_boot_path("CD uefi"), (BootPath{Attachment::kCd, Firmware::kUefi}));
}

TEST(BootPath, AMistypedNameIsToldTheNearest) {
  const core::Error error = error_of([] { parse_boot_path("disc BIOS"); });
  EXPECT_EQ(error.kind(), core::Kind::kUsage);
  EXPECT_THAT(error.hint(), HasSubstr("\"disk BIOS\""));
  EXPECT_THAT(error_of([] { parse_boot_path("floppy"); }).hint(), HasSubstr("stick UEFI"));
  EXPECT_THROW(boot_path_name({Attachment::kNetwork, Firmware::kUefi}), core::Error);
}

TEST(QemuArguments, KeepTheImageUnchangedAndItsNameAName) {
  BootSpec spec;
  spec.image = "/srv/a,readonly=on:b.qcow2";
  const std::vector<std::string> args = qemu_arguments(spec, {});
  EXPECT_EQ(args.back(), "if=virtio,format=qcow2,snapshot=on,file=/srv/a,,readonly=on:b.qcow2");
  EXPECT_THAT(args, ::testing::Contains("-nic"));
}

TEST(QemuArguments, NameTheFormatOfEveryDisk) {
  BootSpec spec = spec_for("disk BIOS");
  for (const auto& [format, name] : {std::pair{ImageFormat::kRaw, "raw"},
                                     {ImageFormat::kQcow2, "qcow2"},
                                     {ImageFormat::kVmdk, "vmdk"},
                                     {ImageFormat::kVhdx, "vhdx"},
                                     {ImageFormat::kVdi, "vdi"}}) {
    spec.format = format;
    EXPECT_THAT(line_for(spec), HasSubstr(fmt::format("format={},snapshot=on,", name)));
  }
}

TEST(QemuArguments, EveryMediumIsReadOnlyOrASnapshot) {
  for (const BootPath& path : boot_paths()) {
    BootSpec spec;
    spec.path = path;
    spec.image = "/srv/image";
    spec.kernel.kernel = "/srv/vmlinuz";
    spec.network.folder = "/srv/net";
    const std::string line = line_for(spec);
    if (path.attachment == Attachment::kKernel || path.attachment == Attachment::kNetwork) {
      EXPECT_THAT(line, Not(HasSubstr("/srv/image")));
    } else {
      EXPECT_TRUE(line.find("snapshot=on,file=/srv/image") != std::string::npos ||
                  line.find("readonly=on,file=/srv/image") != std::string::npos)
          << line;
    }
    EXPECT_EQ(line.find("if=pflash") != std::string::npos, is_uefi(path)) << line;
    EXPECT_THAT(line, HasSubstr("-display none -vga none"));
    EXPECT_THAT(line, Not(HasSubstr("tcp")));
  }
}

TEST(QemuArguments, CdAndStickHaveTheirBuses) {
  EXPECT_THAT(line_for(spec_for("cd UEFI")), HasSubstr("scsi-cd,bus=scsi.0,drive=media"));
  const std::string stick = line_for(spec_for("stick BIOS"));
  EXPECT_THAT(stick, HasSubstr("qemu-xhci"));
  EXPECT_THAT(stick, HasSubstr("usb-storage,bus=xhci.0,drive=media,removable=on"));
}

TEST(QemuArguments, SecureBootGuardsTheVariables) {
  const std::string line = line_for(spec_for("disk UEFI Secure Boot"));
  EXPECT_THAT(line, HasSubstr("q35,graphics=off,smm=on"));
  EXPECT_THAT(line, HasSubstr("driver=cfi.pflash01,property=secure,value=on"));
  EXPECT_THAT(line, HasSubstr("OVMF_CODE_4M.secboot.fd"));
  EXPECT_THAT(line, HasSubstr("unit=1,format=raw,file=/w/variables.fd"));
  EXPECT_THAT(line_for(spec_for("disk UEFI")), Not(HasSubstr("smm=on")));
}

TEST(QemuArguments, KernelAndNetworkNeedNoDisk) {
  BootSpec spec = spec_for("kernel");
  spec.kernel = {"/k/vmlinuz", {"/k/a"}, "console=ttyS0 quiet"};
  EXPECT_THAT(line_for(spec),
              HasSubstr("-kernel /k/vmlinuz -append console=ttyS0 quiet -initrd /w/initramfs.img"));
  spec = spec_for("network");
  spec.network = {"/srv/net,boot", "x.ipxe"};
  const std::string line = line_for(spec);
  EXPECT_THAT(line, HasSubstr("user,id=net,restrict=on,tftp=/srv/net,,boot,bootfile=x.ipxe"));
  EXPECT_THAT(line, HasSubstr("virtio-net-pci"));
  EXPECT_THAT(line, Not(HasSubstr("-nic none")));
}

TEST(QemuArguments, ScreenAndSharedFolderOnlyOnRequest) {
  BootSpec spec = spec_for("disk BIOS");
  EXPECT_THAT(line_for(spec), Not(HasSubstr("9p")));
  spec.screenshot = "/tmp/shot.png";
  spec.shared = "/srv/shared";
  EXPECT_THAT(line_for(spec), HasSubstr("-vga std"));
  EXPECT_THAT(line_for(spec), HasSubstr("security_model=mapped-xattr,path=/srv/shared"));
  EXPECT_THAT(line_for(spec), HasSubstr("mount_tag=shared"));
}

}  // namespace
}  // namespace imgforge::vm
