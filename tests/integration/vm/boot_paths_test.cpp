// The paths beside disks: one hybrid ISO, made with the stock tools, as CD and as stick; kernel and initramfs
// handed over by QEMU; an iPXE script by TFTP. And what can go wrong while commands run.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <regex>
#include <thread>

#include "builder/image/boot/boot_files.hpp"
#include "builder/image/boot/cpio.hpp"
#include "builder/image/boot/init_script.hpp"
#include "builder/vm/minimum_memory.hpp"
#include "core/digest.hpp"
#include "integration/vm/boot_fixture.hpp"

namespace imgforge::vm {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

class IsoBootTest : public testing::BootTest {
 protected:
  /// isolinux for BIOS; systemd-boot in an appended EFI partition, which holds kernel and initramfs once
  /// more.
  void make_iso() const {
    write_rootfs();
    image::make_boot_files(path("rootfs.tar"), {}, path("work"));
    unpack_rootfs(path("tree"));
    for (const char* file : {"vmlinuz", "initramfs.img"})
      std::filesystem::copy_file(path("work") / file, path("tree") / file);
    const std::string cmdline =
        "root=/dev/sr0 rootfstype=iso9660 imgforge.overlay=tmpfs console=ttyS0,115200 panic=1";
    std::filesystem::create_directory(path("tree/isolinux"));
    std::filesystem::copy_file("/usr/lib/ISOLINUX/isolinux.bin", path("tree/isolinux/isolinux.bin"));
    std::filesystem::copy_file("/usr/lib/syslinux/modules/bios/ldlinux.c32",
                               path("tree/isolinux/ldlinux.c32"));
    spill(path("tree/isolinux/isolinux.cfg"),
          "SERIAL 0 115200\nDEFAULT test\nLABEL test\n  KERNEL /vmlinuz\n  INITRD /initramfs.img\n  APPEND " +
              cmdline + "\n");
    make_esp(cmdline);
    run("xorriso", {"-as",
                    "mkisofs",
                    "-quiet",
                    "-o",
                    path("cd.iso"),
                    "-V",
                    "TEST",
                    "-r",
                    "-b",
                    "isolinux/isolinux.bin",
                    "-c",
                    "isolinux/boot.cat",
                    "-no-emul-boot",
                    "-boot-load-size",
                    "4",
                    "-boot-info-table",
                    "-isohybrid-mbr",
                    "/usr/lib/ISOLINUX/isohdpfx.bin",
                    "-eltorito-alt-boot",
                    "-e",
                    "--interval:appended_partition_2:all::",
                    "-no-emul-boot",
                    "-append_partition",
                    "2",
                    "0xef",
                    path("esp.img"),
                    path("tree")});
  }

  void make_esp(const std::string& cmdline) const {
    spill(path("loader.conf"), "timeout 0\n");
    spill(path("test.conf"), "title test\nlinux /vmlinuz\ninitrd /initramfs.img\noptions " + cmdline + "\n");
    run("truncate", {"-s", "24M", "esp.img"});  // El Torito counts its sectors in 16 bits: less than 32 MiB
    run("mkfs.vfat", {"esp.img"});
    run("mmd", {"-i", "esp.img", "::EFI", "::EFI/BOOT", "::loader", "::loader/entries"});
    run("mcopy",
        {"-i", "esp.img", "/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "::EFI/BOOT/BOOTX64.EFI"});
    run("mcopy", {"-i", "esp.img", "loader.conf", "::loader/"});
    run("mcopy", {"-i", "esp.img", "test.conf", "::loader/entries/"});
    run("mcopy", {"-i", "esp.img", "work/vmlinuz", "work/initramfs.img", "::"});
  }
};

TEST_F(IsoBootTest, AHybridIsoBootsAsCdAndAsStickAndStaysAsItIs) {
  make_iso();
  const core::Digest before = core::digest_of_file(core::HashAlgorithm::kSha256, path("cd.iso"));
  BootSpec wanted = spec(Firmware::kBios);
  wanted.image = path("cd.iso");
  wanted.format = ImageFormat::kRaw;
  for (const Firmware firmware : {Firmware::kBios, Firmware::kUefi}) {
    wanted.path = {Attachment::kCd, firmware};
    wanted.expect = {{std::string(image::kHandOverMarker)}, {"hello from overlay"}};
    const BootEvidence evidence = boot(wanted, {});
    EXPECT_EQ(evidence.path_name, firmware == Firmware::kBios ? "cd BIOS" : "cd UEFI");
    EXPECT_GT(evidence.seconds_to("kernel"), 0);
    // The kernel of these tests knows no USB: the firmware, the boot loader and the kernel's first words
    // count.
    wanted.path = {Attachment::kStick, firmware};
    wanted.expect = {{"Linux version " + release_}};
    EXPECT_GT(boot(wanted, {}).seconds_to("kernel"), 0);
  }
  EXPECT_EQ(core::digest_of_file(core::HashAlgorithm::kSha256, path("cd.iso")), before);
}

constexpr const char* kShellInit = R"script(#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
exec < /dev/console > /dev/console 2>&1
echo "hello from the second archive"
exec sh -i
)script";

class KernelBootTest : public testing::BootTest {
 protected:
  void SetUp() override {
    testing::BootTest::SetUp();
    if (IsSkipped()) return;
    write_rootfs();
    image::make_boot_files(path("rootfs.tar"), {}, path("work"));
  }

  BootSpec kernel_spec(std::string_view init = kShellInit) const {
    image::CpioWriter cpio;
    cpio.file("init", init, 0755);
    spill(path("second.cpio"), cpio.finish());
    // A length that is no multiple of 4, as compressed archives have.
    run("gzip", {"-knf", "second.cpio"});
    BootSpec wanted = spec(Firmware::kBios);
    wanted.path = {Attachment::kKernel, Firmware::kBios};
    wanted.kernel = {path("work/vmlinuz"),
                     {path("work/initramfs.img"), path("second.cpio.gz")},
                     "console=ttyS0 panic=1 quiet word=\"a, b\""};
    wanted.expect = {{"hello from the second archive"}};
    return wanted;
  }
};

TEST_F(KernelBootTest, TakesSeveralArchivesAndRunsCommands) {
  BootSpec wanted = kernel_spec();
  wanted.commands = {{"/bin/busybox grep -o 'word=.*' /proc/cmdline"},
                     {"if"},
                     {"/bin/busybox seq 1 2000"},
                     {"exit 3"},
                     {"true"}};
  wanted.commands[1].expect = "syntax error";
  wanted.commands[3].expect = "^$";
  const BootEvidence evidence = boot(wanted, {});
  EXPECT_EQ(evidence.path_name, "kernel");
  ASSERT_EQ(evidence.commands.size(), 5u);
  EXPECT_EQ(evidence.commands[0].output, "word=\"a, b\"\n");
  EXPECT_NE(evidence.commands[1].status, 0);
  EXPECT_TRUE(evidence.commands[2].output.starts_with("1\n2\n3\n"));
  EXPECT_TRUE(evidence.commands[2].output.ends_with("\n1999\n2000\n"));
  EXPECT_EQ(evidence.commands[2].output.size(), 8893u);
  EXPECT_EQ(evidence.commands[3].status, 3);

  wanted.commands = {{"echo the reason; exit 4"}};
  core::Error error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.message(), HasSubstr("ended with status 4"));
  EXPECT_THAT(error.quote(), HasSubstr("the reason"));
}

TEST_F(KernelBootTest, TheNetworkCardsRomRunsAnIpxeScript) {
  if (!std::filesystem::exists("/usr/lib/ipxe/qemu/pxe-virtio.rom"))
    GTEST_SKIP() << "ipxe-qemu is not installed";
  BootSpec wanted = kernel_spec();
  std::filesystem::create_directory(path("tftp"));
  for (const std::filesystem::path& file :
       {wanted.kernel.kernel, wanted.kernel.initrds[0], wanted.kernel.initrds[1]})
    std::filesystem::copy_file(file, path("tftp") / file.filename());
  spill(path("tftp/test.ipxe"),
        "#!ipxe\nkernel vmlinuz console=ttyS0 panic=1\ninitrd initramfs.img\ninitrd second.cpio.gz\nboot\n");
  wanted.path = {Attachment::kNetwork, Firmware::kBios};
  wanted.network = {path("tftp"), "test.ipxe"};
  const BootEvidence evidence = boot(wanted, {});
  EXPECT_EQ(evidence.path_name, "network");
  EXPECT_GT(evidence.seconds_to("kernel"), 0);
}

TEST_F(KernelBootTest, APanicAndAPowerOffWhileCommandsRunAreSeen) {
  BootSpec wanted = kernel_spec();
  wanted.commands = {{"echo c > /proc/sysrq-trigger"}};
  core::Error error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.message(), HasSubstr("kernel panicked"));

  wanted.commands = {{"/bin/busybox poweroff -f"}};
  error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.message(), HasSubstr("powered off or restarted while running \"/bin/busybox poweroff"));
}

/// Process whose command line holds `word`; 0 when there is none.
pid_t process_with(const std::string& word) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream in(entry.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(in)), {});
    if (line.starts_with("/") && line.find("qemu-system") != std::string::npos &&
        line.find(word) != std::string::npos)
      return std::stoi(name);
  }
  return 0;
}

TEST_F(KernelBootTest, AKilledQemuIsToldBySignal) {
  BootSpec wanted = kernel_spec();
  wanted.commands = {{"while true; do :; done"}};
  // Number 0 is the probe for a shell.
  const std::regex begun("IMGFORGE-BEGIN-[0-9a-f]+-1");
  std::thread killer([&] {
    for (int tries = 0; tries < 600; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      if (!std::regex_search(slurp(path("console.log")), begun)) continue;
      const pid_t pid = process_with(path("work/vmlinuz"));
      if (pid > 1) ::kill(pid, SIGKILL);
      return;
    }
  });
  const core::Error error = error_of([&] { boot(wanted, {}); });
  killer.join();
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.message(), HasSubstr("QEMU ended by signal SIGKILL while running \"while true"));
}

TEST_F(KernelBootTest, ACommandThatDoesNotEndRunsIntoTheDeadline) {
  BootSpec wanted = kernel_spec();
  wanted.commands = {{"echo started; /bin/busybox sleep 1000"}};
  wanted.deadline = std::chrono::seconds(15);
  const core::Error error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.message(), HasSubstr("took longer than 15 s"));
  EXPECT_THAT(error.quote(), HasSubstr("started"));
}

TEST_F(KernelBootTest, FindsAMemoryThatBootsBelowTheStatedOne) {
  BootSpec wanted = kernel_spec();
  wanted.memory = core::mib(128);
  const double ready = boot(wanted, {}).seconds_to("ready");
  wanted.deadline = std::chrono::milliseconds(static_cast<int>(ready * 3000) + 5000);
  wanted.silence = wanted.deadline;
  int failed = 0;
  const core::Bytes found = smallest_memory(wanted.memory, [&](core::Bytes memory) {
    wanted.memory = memory;
    try {
      boot(wanted, {});
      return true;
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::Kind::kBoot);
      ++failed;
      return false;
    }
  });
  EXPECT_GE(found, core::mib(20));
  EXPECT_LT(found, core::mib(128));
  EXPECT_GT(failed, 0);
}

TEST_F(KernelBootTest, MissingFirmwareAndVariablesAreToldBeforeQemuStarts) {
  BootSpec wanted = kernel_spec();
  wanted.path = {Attachment::kDisk, Firmware::kUefi};
  wanted.firmware_folder = path("work");
  core::Error error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kMachine);
  EXPECT_THAT(error.message(), HasSubstr("OVMF_CODE_4M.fd is missing"));
  EXPECT_THAT(error.hint(), HasSubstr("apt-get install ovmf"));

  wanted = kernel_spec();
  wanted.path = {Attachment::kDisk, Firmware::kSecureBoot};
  error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kUsage);
  wanted.variables = path("nothing.fd");
  error = error_of([&] { boot(wanted, {}); });
  EXPECT_THAT(error.message(), HasSubstr("nothing.fd"));
}

}  // namespace
}  // namespace imgforge::vm
