// Secure Boot and dm-verity in real boots: OVMF enrols the keys, then takes signed programs only, and the
// kernel reads root through the hash tree. Also the early program on a real disk.
#include "builder/image/trust/secure_boot.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "builder/image/boot/boot_files.hpp"
#include "builder/image/boot/early_program.hpp"
#include "builder/image/boot/init_script.hpp"
#include "builder/image/boot/module_closure.hpp"
#include "builder/image/disk/disk.hpp"
#include "builder/image/disk/gpt.hpp"
#include "builder/image/fs/ext4.hpp"
#include "builder/image/raw_image.hpp"
#include "builder/image/trust/uki.hpp"
#include "builder/image/trust/verity.hpp"
#include "core/random.hpp"
#include "signing/efi/secure_boot_keys.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::vm {
namespace {

using image::testing::TarBuilder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace image;  // what is booted is made with it
using SteadyClock = std::chrono::steady_clock;

constexpr const char* kSystemdBoot = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
constexpr const char* kSecureCode = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";
constexpr const char* kSetupModeVariables = "/usr/share/OVMF/OVMF_VARS_4M.fd";
constexpr const char* kReady = "GUEST IS DONE";
constexpr std::uint64_t kEspSize = 48 * image::kMebibyte;
constexpr std::uint64_t kRootStart = image::kMebibyte + kEspSize;
constexpr std::uint64_t kRootSize = 32 * image::kMebibyte;

/// Says what it stands on, then tries the commands that grow it.
constexpr const char* kInit = R"script(#!/bin/busybox sh
export PATH=/bin
exec < /dev/console > /dev/console 2>&1
bb=/bin/busybox
$bb grep ' / ' /proc/mounts | while read -r device folder type options; do echo "ROOT $device $type ${options%%,*}"; done
$bb grep ' /run/imgforge/lower ' /proc/mounts | while read -r device folder type options; do echo "LOWER $device $type ${options%%,*}"; done
for module in /lib/modules/*/kernel/fs/efivarfs/efivarfs.ko; do $bb insmod $module; done 2>/dev/null
$bb mount -t efivarfs efivarfs /sys/firmware/efi/efivars 2>/dev/null
echo "SECUREBOOT $($bb tail -c 1 /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c 2>/dev/null | $bb od -An -tu1)"
echo "CONTENT $($bb md5sum < /content 2>&1)"
if [ -e /grow ]; then
  $bb mount -o remount,rw /
  echo "BEFORE $($bb blockdev --getsize64 /dev/vda1) $($bb stat -f -c %b /)"
  /bin/early grow /dev/vda 1 && echo GROWN
  /bin/early resize / /dev/vda1 && echo RESIZED
  /bin/early grow /dev/vda 1 && /bin/early resize / /dev/vda1 && echo "AGAIN NOTHING"
  /bin/early resize /proc /dev/vda1
  echo "AFTER $($bb blockdev --getsize64 /dev/vda1) $($bb stat -f -c %b /)"
  $bb dd if=/dev/zero of=/large bs=1M count=60 2>/dev/null && echo "WROTE $($bb stat -c %s /large)"
  $bb sync
  $bb mount -o remount,ro /
fi
echo "GUEST IS DONE"
while true; do $bb sleep 1; done
)script";

struct BootResult {
  std::string console;  ///< without what the kernel says before it starts /init
  bool ended = false;   ///< QEMU ended by itself: the guest restarted or panicked
};

class SecureBootBoot : public image::testing::ImageTest {
 protected:
  void SetUp() override {
    for (const auto& entry : std::filesystem::directory_iterator("/lib/modules")) {
      release_ = entry.path().filename();
      if (std::filesystem::exists("/boot/vmlinuz-" + release_)) break;
      release_.clear();
    }
    ASSERT_FALSE(release_.empty()) << "no kernel with modules in /boot (linux-image-cloud-amd64)";
    ASSERT_TRUE(std::filesystem::exists(kSecureCode)) << "ovmf is not installed";
    std::filesystem::create_directory(path("work"));
  }

  /// What these tests load, and a modules.dep of just that.
  void add_modules(TarBuilder& tar) const {
    const std::string folder = "lib/modules/" + release_ + "/";
    const std::string dep = slurp("/" + folder + "modules.dep");
    const std::string builtin = slurp("/" + folder + "modules.builtin");
    const std::vector<std::string> modules =
        image::ModuleTable(dep, builtin, {})
            .closure({"virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "overlay", "dm_mod", "dm_verity",
                      "efivarfs"});
    std::string kept;
    std::istringstream lines(dep);
    for (std::string line; std::getline(lines, line);) {
      const std::string name = line.substr(0, line.find(':'));
      if (std::find(modules.begin(), modules.end(), name) != modules.end()) kept += line + "\n";
    }
    std::set<std::string> folders;
    for (const std::string& module : modules) {
      const std::string file = folder + module;
      for (std::size_t at = folder.size() - 1; at != std::string::npos; at = file.find('/', at + 1)) {
        if (folders.insert(file.substr(0, at)).second) tar.directory(file.substr(0, at));
      }
      tar.file(file, slurp("/" + file));
    }
    tar.file(folder + "modules.dep", kept).file(folder + "modules.builtin", builtin);
  }

  /// Busybox, the kernel, and the modules for virtio disks, ext4, verity and EFI variables.
  void write_rootfs(bool grows) const {
    TarBuilder tar(path("rootfs.tar"));
    tar.directory("bin").file("bin/busybox", slurp("/bin/busybox"), 0755).link("bin/sh", "busybox");
    tar.file("bin/early", image::early_program(), 0755).directory("boot");
    tar.file("boot/config-" + release_, slurp("/boot/config-" + release_));
    tar.file("boot/vmlinuz-" + release_, slurp("/boot/vmlinuz-" + release_));
    tar.file("content", std::string(4 << 20, 'c'));
    if (grows) tar.file("grow", "");
    for (const char* folder : {"dev", "lib", "lib/modules"}) tar.directory(folder);
    add_modules(tar);
    tar.directory("proc").directory("run").directory("sbin").file("sbin/init", kInit, 0755).directory("sys");
    tar.finish();
  }

  void make_file_system(const std::filesystem::path& image, std::uint64_t offset) const {
    image::make_ext4(path("rootfs.tar"), image,
                     {core::derived_uuid("root"), "root", offset, kRootSize, 1763600000},
                     core::system_processes(), {});
  }

  void copy_into_disk(const std::filesystem::path& from, std::uint64_t offset) const {
    const std::string content = slurp(from);
    std::fstream disk(path("disk.img"), std::ios::in | std::ios::out | std::ios::binary);
    disk.seekp(static_cast<std::streamoff>(offset));
    disk.write(content.data(), static_cast<std::streamsize>(content.size()));
  }

  /// Root as a file, its tree, and a signed UKI that names the root hash.
  void make_parts() {
    write_rootfs(false);
    signing::create_secure_boot_keys(path("keys"), "test", core::UnixTime(std::chrono::seconds(1763600000)));
    std::filesystem::resize_file((spill(path("root.img"), ""), path("root.img")), kRootSize);
    make_file_system(path("root.img"), 0);
    const std::string root_hash =
        image::make_verity_tree(path("root.img"), path("root.tree"), "test", core::system_processes(), {});
    const image::BootFiles boot = image::make_boot_files(path("rootfs.tar"), {}, path("work"));
    image::UkiParts parts;
    parts.os_release = "ID=test\nPRETTY_NAME=\"Test system\"\nVERSION_ID=1\n";
    parts.cmdline = {"root=/dev/vda2",         "rootfstype=ext4",      "ro",
                     "imgforge.overlay=tmpfs", "console=ttyS0,115200", "panic=1"};
    for (const std::string& word : image::verity_words(root_hash, "/dev/vda3")) parts.cmdline.push_back(word);
    parts.release = boot.kernels.front().release;
    parts.kernel = boot.kernels.front().kernel;
    parts.initramfs = boot.kernels.front().initramfs;
    image::make_uki(parts, path("uki.efi"), path("work"), core::system_processes(), {});
    const signing::EfiSigner signer = signing::load_program_signer(path("keys"));
    image::sign_efi_program(path("uki.efi"), path("uki.signed"), signer);
    image::sign_efi_program(kSystemdBoot, path("boot.signed"), signer);
    spill(path("loader.conf"), "timeout 0\neditor no\n" + image::enrolment_line(image::Enrolment::kForced));
  }

  void make_disk(const char* uki) const {
    std::filesystem::remove(path("disk.img"));
    const std::uint64_t tree_start = kRootStart + kRootSize;
    image::RawImage image(path("disk.img"), core::Bytes{tree_start + 2 * image::kMebibyte});
    image::write_gpt(
        path("disk.img"), core::derived_uuid("disk"),
        {{"boot", image::kEspType, core::derived_uuid("p1"), image::kMebibyte, kEspSize, {}},
         {"root", image::kRootX86Type, core::derived_uuid("p2"), kRootStart, kRootSize, {}},
         {"tree", image::kRootX86Type, core::derived_uuid("p3"), tree_start, image::kMebibyte, {}}},
        {});
    std::vector<image::MediumFile> files = image::enrolment_files(path("keys"));
    files.push_back({"EFI/BOOT/BOOTX64.EFI", path("boot.signed")});
    files.push_back({"loader/loader.conf", path("loader.conf")});
    files.push_back({image::uki_path("test"), path(uki)});
    image::make_esp(path("disk.img"), files, {"TEST", 1, image::kMebibyte, kEspSize, 1763600000},
                    core::system_processes(), {});
    copy_into_disk(path("root.img"), kRootStart);
    copy_into_disk(path("root.tree"), tree_start);
    image.keep();
  }

  /// Runs QEMU until the console says `marker`, it ends, or `limit` has passed.
  BootResult run_qemu(std::vector<std::string> more, const char* marker, std::chrono::seconds limit) const {
    core::Command command;
    command.program = "qemu-system-x86_64";
    command.args = {
        "-accel",          "tcg",      "-cpu",      "qemu64,+rdrand", "-m",   "512M", "-nodefaults",
        "-no-user-config", "-display", "none",      "-vga",           "none", "-nic", "none",
        "-serial",         "stdio",    "-no-reboot"};
    command.args.insert(command.args.end(), more.begin(), more.end());
    command.environment["TMPDIR"] = path("work").native();
    core::ChildProcess qemu(command);
    const auto start = SteadyClock::now();
    const auto elapsed = [&] { return SteadyClock::now() - start; };
    BootResult result;
    while (elapsed() < limit && result.console.find(marker) == std::string::npos) {
      result.console += qemu.read(std::chrono::milliseconds(100));
      if (qemu.poll_exit() && qemu.at_end()) {
        result.ended = true;
        break;
      }
    }
    std::cout << fmt::format("{} after {:.1f} s\n", result.ended ? "the end" : marker,
                             std::chrono::duration<double>(elapsed()).count());
    const std::size_t kernel = result.console.find("Linux version");
    const std::size_t init = result.console.find("Run /init as init process");
    if (init != std::string::npos) result.console.erase(kernel, init - kernel);
    return result;
  }

  BootResult boot_secure(const char* marker = kReady,
                         std::chrono::seconds limit = std::chrono::seconds(120)) const {
    return run_qemu(
        {"-machine", "q35,smm=on,graphics=off", "-global", "driver=cfi.pflash01,property=secure,value=on",
         "-drive", fmt::format("if=pflash,unit=0,format=raw,readonly=on,file={}", kSecureCode), "-drive",
         fmt::format("if=pflash,unit=1,format=raw,file={}", path("variables.fd").native()), "-drive",
         fmt::format("if=virtio,format=raw,snapshot=on,file={}", path("disk.img").native())},
        marker, limit);
  }

  /// In setup mode systemd-boot enrols the keys and restarts the machine.
  void enrol() const {
    std::filesystem::copy_file(kSetupModeVariables, path("variables.fd"));
    make_disk("uki.signed");
    const BootResult result = boot_secure();
    EXPECT_TRUE(result.ended) << result.console;
    EXPECT_THAT(result.console, Not(HasSubstr("Linux version")));
  }

  std::string release_;
};

TEST_F(SecureBootBoot, EnrolsItsKeysAndThenTakesOnlyWhatIsSigned) {
  make_parts();
  enrol();
  BootResult result = boot_secure();
  EXPECT_THAT(result.console, AllOf(HasSubstr("SECUREBOOT    1"), HasSubstr("ROOT overlay overlay rw"),
                                    HasSubstr("LOWER /dev/mapper/root ext4 ro"),
                                    HasSubstr("CONTENT b0c5007f57f467a54b627750e9ecb24b"),
                                    HasSubstr(std::string(image::kHandOverMarker)), HasSubstr(kReady)));

  // Neither a program without a signature nor a changed one starts.
  make_disk("uki.efi");
  result = boot_secure("Access Denied", std::chrono::seconds(40));
  EXPECT_THAT(result.console, AllOf(HasSubstr("Error loading \\EFI\\Linux\\test.efi: Access Denied"),
                                    Not(HasSubstr("Linux version"))));

  std::string changed = slurp(path("uki.signed"));
  const std::size_t at = changed.find("imgforge.overlay=tmpfs");
  ASSERT_NE(at, std::string::npos);
  changed[at] = 'x';
  spill(path("uki.changed"), changed);
  make_disk("uki.changed");
  result = boot_secure("Access Denied", std::chrono::seconds(40));
  EXPECT_THAT(result.console, AllOf(HasSubstr("Error loading \\EFI\\Linux\\test.efi: Access Denied"),
                                    Not(HasSubstr("Linux version"))));

  // Nor a boot loader.
  std::filesystem::copy_file(kSystemdBoot, path("boot.signed"),
                             std::filesystem::copy_options::overwrite_existing);
  make_disk("uki.signed");
  result = boot_secure("Access Denied", std::chrono::seconds(40));
  EXPECT_THAT(result.console, AllOf(HasSubstr("Access Denied"), Not(HasSubstr("Linux version"))));
}

TEST_F(SecureBootBoot, AChangedRootIsFound) {
  make_parts();
  enrol();
  // A block of a file: the error comes when it is read.
  make_disk("uki.signed");
  const std::size_t content = slurp(path("root.img")).find(std::string(4096, 'c'));
  ASSERT_NE(content, std::string::npos);
  spill(path("block"), "X");
  copy_into_disk(path("block"), kRootStart + content);
  BootResult result = boot_secure();
  EXPECT_THAT(result.console, AllOf(HasSubstr("is corrupted"), HasSubstr("Input/output error")));

  // The file system's superblock: root does not come up at all.
  make_disk("uki.signed");
  copy_into_disk(path("block"), kRootStart + 1024);
  result = boot_secure();
  EXPECT_THAT(result.console, AllOf(HasSubstr("/dev/vda2 is not what the root hash was made of"),
                                    HasSubstr("ERROR: /dev/vda2 does not pass as the root that was built"),
                                    Not(HasSubstr(std::string(image::kHandOverMarker)))));
  EXPECT_TRUE(result.ended) << "the kernel panics when there is no root";
}

TEST_F(SecureBootBoot, ARunningSystemGrowsIntoItsDisk) {
  write_rootfs(true);
  const image::BootFiles boot = image::make_boot_files(path("rootfs.tar"), {}, path("work"));
  image::RawImage image(path("disk.img"), core::Bytes{kRootSize + 2 * image::kMebibyte});
  image::write_gpt(path("disk.img"), core::derived_uuid("disk"),
                   {{"root", image::kRootX86Type, core::derived_uuid("p1"), image::kMebibyte, kRootSize, {}}},
                   {});
  make_file_system(path("disk.img"), image::kMebibyte);
  std::filesystem::resize_file(path("disk.img"), 160 * image::kMebibyte);
  const BootResult result =
      run_qemu({"-machine", "q35,graphics=off", "-kernel", boot.kernels.front().kernel.native(), "-initrd",
                boot.kernels.front().initramfs.native(), "-append",
                "root=/dev/vda1 rw imgforge.grow=no console=ttyS0 panic=1", "-drive",
                fmt::format("if=virtio,format=raw,file={}", path("disk.img").native())},
               kReady, std::chrono::seconds(120));
  const std::uint64_t grown = 160 * image::kMebibyte - 33 * 512 - image::kMebibyte;
  EXPECT_THAT(result.console,
              AllOf(HasSubstr("ROOT /dev/vda1 ext4 rw"), HasSubstr(fmt::format("BEFORE {} ", kRootSize)),
                    HasSubstr("GROWN"), HasSubstr("RESIZED"), HasSubstr("AGAIN NOTHING"),
                    HasSubstr("early: /dev/vda1 is not mounted on /proc"),
                    HasSubstr(fmt::format("AFTER {} ", grown)), HasSubstr("WROTE 62914560")));
  EXPECT_THAT(run("sgdisk", {"-v", path("disk.img").native()}), HasSubstr("No problems found"));
  EXPECT_THAT(run("e2fsck", {"-fn", path("disk.img").native() + "?offset=1048576"}),
              HasSubstr("40699 blocks"));
  image.keep();
}

}  // namespace
}  // namespace imgforge::vm
