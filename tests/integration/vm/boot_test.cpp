// Real images booted in QEMU: the host's kernel and busybox as a root file system, both firmwares.
#include "builder/vm/boot.hpp"

#include <gmock/gmock.h>

#include "builder/image/boot/init_script.hpp"
#include "core/digest.hpp"
#include "integration/vm/boot_fixture.hpp"

namespace imgforge::vm {
namespace {

using testing::BootTest;
using testing::error_of;
using ::testing::HasSubstr;

TEST_F(BootTest, BootsOnBothFirmwaresAndLeavesTheImageAlone) {
  write_rootfs();
  make_image(image::RootAccess::kReadOnly);
  const core::Digest before = core::digest_of_file(core::HashAlgorithm::kSha256, path("disk.qcow2"));
  for (const Firmware firmware : {Firmware::kBios, Firmware::kUefi}) {
    BootSpec wanted = spec(firmware);
    wanted.expect = {{std::string(image::kHandOverMarker)},
                     {"hello from overlay"},
                     {"marker written"},
                     {"root is untouched"},
                     {"owner 1234:70000 mode 640"},
                     {"name: $", "forger\n"},
                     {"welcome, forger"}};
    wanted.commands = {{"uname -r"}, {"cat /nothing", "can't open '/nothing'"}, {"echo to-memory > /x"}};
    wanted.screenshot = path("screen.png");
    const BootEvidence evidence = boot(wanted, {});
    ASSERT_EQ(evidence.commands.size(), 3u);
    EXPECT_EQ(evidence.commands[0].output, release_ + "\n");
    EXPECT_EQ(evidence.commands[1].status, 1);
    const std::string picture = slurp(path("screen.png"));
    EXPECT_TRUE(picture.starts_with("\x89PNG\r\n\x1a\n"));
    EXPECT_GT(picture.size(), 1000u);
    EXPECT_THAT(evidence.qemu_version, ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+.*"));
    EXPECT_EQ(evidence.path_name, firmware == Firmware::kBios ? "disk BIOS" : "disk UEFI");
    EXPECT_EQ(evidence.accelerator, "tcg");
    EXPECT_GT(evidence.seconds_to("kernel"), 0);
    EXPECT_GE(evidence.seconds_to("hand-over"), evidence.seconds_to("kernel"));
    EXPECT_GE(evidence.seconds_to("ready"), evidence.seconds_to("hand-over"));
    EXPECT_THAT(slurp(path("console.log")), HasSubstr("welcome, forger"));
  }
  EXPECT_EQ(core::digest_of_file(core::HashAlgorithm::kSha256, path("disk.qcow2")), before);
}

TEST_F(BootTest, AWritableRootIsTheDiskItself) {
  write_rootfs();
  make_image(image::RootAccess::kWritable);
  BootSpec wanted = spec(Firmware::kBios);
  wanted.image = path("disk.img");
  wanted.format = ImageFormat::kRaw;
  wanted.expect = {{"hello from ext4 rw"}, {"marker written"}};
  boot(wanted, {});

  wanted.expect = {};
  const BootEvidence evidence = boot(wanted, {});
  EXPECT_EQ(evidence.markers.back().name, "ready");
  EXPECT_GT(evidence.seconds_to("hand-over"), 0) << "without expectations the hand-over is awaited";
}

TEST_F(BootTest, APanicIsFoundAtOnceAndQuoted) {
  write_rootfs("#!/bin/busybox sh\necho giving up now\nexit 3\n");
  make_image(image::RootAccess::kReadOnly);
  BootSpec wanted = spec(Firmware::kBios);
  wanted.expect = {{"never said"}};
  const core::Error error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.message(), HasSubstr("kernel panicked"));
  EXPECT_THAT(error.quote(), HasSubstr("giving up now"));
}

TEST_F(BootTest, SaysWhenRootDoesNotAppear) {
  write_rootfs();
  make_image(image::RootAccess::kReadOnly);
  run("sgdisk", {"--change-name=2:other", "disk.img"});
  BootSpec wanted = spec(Firmware::kBios);
  wanted.image = path("disk.img");
  wanted.format = ImageFormat::kRaw;
  wanted.expect = {{"hello"}};
  const core::Error error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.quote(), HasSubstr("did not appear within 20 seconds"));
  EXPECT_THAT(error.quote(), HasSubstr("block devices: "));
}

TEST_F(BootTest, SecureBootRefusesAnUnsignedImageOnceKeysAreEnrolled) {
  write_rootfs();
  make_image(image::RootAccess::kReadOnly);
  BootSpec wanted = spec(Firmware::kSecureBoot);
  wanted.variables = path("variables.fd");
  // Microsoft's keys are enrolled in these, none in the others.
  std::filesystem::copy_file("/usr/share/OVMF/OVMF_VARS_4M.ms.fd", wanted.variables);
  const core::Error error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.quote(), HasSubstr("Security Violation"));

  std::filesystem::remove(wanted.variables);
  std::filesystem::copy_file("/usr/share/OVMF/OVMF_VARS_4M.fd", wanted.variables);
  EXPECT_EQ(boot(wanted, {}).path_name, "disk UEFI Secure Boot");
  EXPECT_NE(slurp(wanted.variables), slurp("/usr/share/OVMF/OVMF_VARS_4M.fd")) << "used in place";
}

TEST_F(BootTest, ADiskWithoutABootLoaderIsToldAtOnce) {
  spill(path("disk.img"), std::string(1 << 20, '\0'));
  for (const Firmware firmware : {Firmware::kBios, Firmware::kUefi}) {
    BootSpec wanted = spec(firmware);
    wanted.image = path("disk.img");
    wanted.format = ImageFormat::kRaw;
    const core::Error error = error_of([&] { boot(wanted, {}); });
    EXPECT_EQ(error.kind(), core::Kind::kBoot);
    EXPECT_THAT(error.message(), HasSubstr("found nothing to boot"));
  }
}

TEST_F(BootTest, ADiskThatLoopsRunsIntoTheDeadline) {
  std::string disk(1 << 20, '\0');
  disk.replace(0, 2, "\xeb\xfe");  // jmp to itself
  disk.replace(510, 2, "\x55\xaa");
  spill(path("disk.img"), disk);
  BootSpec wanted = spec(Firmware::kBios);
  wanted.image = path("disk.img");
  wanted.format = ImageFormat::kRaw;
  wanted.expect = {{"hello"}};
  wanted.deadline = std::chrono::seconds(3);
  core::Error error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.message(), HasSubstr("not ready within 3 s"));

  wanted.deadline = std::chrono::seconds(60);
  wanted.silence = std::chrono::seconds(2);
  error = error_of([&] { boot(wanted, {}); });
  EXPECT_THAT(error.message(), HasSubstr("no output for 2 s"));

  wanted.image = path("missing.img");
  error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.message(), HasSubstr("QEMU ended"));
  EXPECT_THAT(error.quote(), HasSubstr("missing.img"));

  core::CancelToken cancelled;
  cancelled.cancel();
  EXPECT_EQ(error_of([&] { boot(wanted, cancelled); }).kind(), core::Kind::kInterrupted);
}

}  // namespace
}  // namespace imgforge::vm
