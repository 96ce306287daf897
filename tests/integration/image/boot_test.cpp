// Real images booted in QEMU: the host's kernel and busybox as a root file system, both firmwares.
#include "builder/image/boot_test.hpp"

#include <gmock/gmock.h>

#include "builder/image/disk.hpp"
#include "builder/image/init_script.hpp"
#include "builder/image/qcow2.hpp"
#include "core/digest.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::TarBuilder;

/// First kernel in /boot that has modules; empty when there is none.
std::string host_kernel_release() {
  for (const auto& entry : std::filesystem::directory_iterator("/boot")) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("vmlinuz-")) continue;
    const std::string release = name.substr(8);
    if (std::filesystem::exists("/lib/modules/" + release + "/modules.dep")) return release;
  }
  return {};
}

constexpr const char* kInit = R"script(#!/bin/busybox sh
export PATH=/bin
while read -r device folder type options rest; do
  [ "$folder" != / ] || root="$type ${options%%,*}"
done < /proc/mounts
echo "hello from $root"
echo changed > /marker && echo "marker written"
/bin/busybox ls /run/imgforge/lower/marker 2>/dev/null || echo "root is untouched"
/bin/busybox stat -c 'owner %u:%g mode %a' /owned
echo -n "name: "
read name
echo "welcome, $name"
while true; do /bin/busybox sleep 1; done
)script";

class BootTest : public testing::ImageTest {
 protected:
  void SetUp() override {
    release_ = host_kernel_release();
    if (release_.empty()) GTEST_SKIP() << "no kernel with modules in /boot (linux-image-cloud-amd64)";
    if (!std::filesystem::exists("/bin/busybox")) GTEST_SKIP() << "busybox-static is not installed";
    if (core::find_program("qemu-system-x86_64").empty()) GTEST_SKIP() << "qemu-system-x86 is not installed";
    std::filesystem::create_directory(path("work"));
  }

  void write_rootfs(const char* init = kInit) const {
    TarBuilder tar(path("rootfs.tar"));
    tar.directory("bin").file("bin/busybox", slurp("/bin/busybox"), 0755).link("bin/sh", "busybox");
    tar.directory("boot").file("boot/config-" + release_, slurp("/boot/config-" + release_));
    tar.file("boot/vmlinuz-" + release_, slurp("/boot/vmlinuz-" + release_));
    for (const char* folder : {"dev", "lib", "lib/modules"}) tar.directory(folder);
    const std::filesystem::path modules = "/lib/modules/" + release_;
    std::set<std::filesystem::path> sorted;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(modules)) {
      const std::string name = entry.path().lexically_relative("/");
      if (name.find("/net/") == std::string::npos && name.find("modules.symbols") == std::string::npos)
        sorted.insert(name);
    }
    tar.directory("lib/modules/" + release_);
    for (const std::filesystem::path& name : sorted) {
      const std::filesystem::path host = "/" / name;
      if (std::filesystem::is_directory(host)) {
        tar.directory(name);
      } else if (std::filesystem::is_regular_file(host)) {
        tar.file(name, slurp(host));
      }
    }
    artifacts::TarEntry owned;
    owned.path = "owned";
    owned.mode = 0640;
    owned.uid = 1234;
    owned.gid = 70000;
    tar.add(owned, "x");
    tar.directory("proc").directory("run").directory("sbin").file("sbin/init", init, 0755).directory("sys");
    tar.finish();
  }

  void make_image(RootAccess access) const {
    const BootFiles boot = make_boot_files(path("rootfs.tar"), {}, path("work"));
    DiskSpec spec;
    spec.size = core::mib(160);
    spec.identity = "boot test";
    spec.root_access = access;
    spec.epoch = 1763600000;
    spec.cmdline = {"panic=1"};
    make_disk(path("rootfs.tar"), boot, spec, path("disk.img"), path("work"), core::system_processes(), {});
    write_qcow2(path("disk.img"), path("disk.qcow2"), ClusterCompression::kZstd, core::system_processes(),
                {});
  }

  BootSpec spec(Firmware firmware) const {
    BootSpec out;
    out.image = path("disk.qcow2");
    out.path = {Attachment::kDisk, firmware};
    out.memory = core::mib(192);
    out.log = path("console.log");
    out.work_dir = path("work");
    return out;
  }

  std::string release_;
};

TEST_F(BootTest, BootsOnBothFirmwaresAndLeavesTheImageAlone) {
  write_rootfs();
  make_image(RootAccess::kReadOnly);
  const core::Digest before = core::digest_of_file(core::HashAlgorithm::kSha256, path("disk.qcow2"));
  for (const Firmware firmware : {Firmware::kBios, Firmware::kUefi}) {
    BootSpec wanted = spec(firmware);
    wanted.expect = {
        {std::string(kHandOverMarker)}, {"hello from overlay"},  {"marker written"}, {"root is untouched"},
        {"owner 1234:70000 mode 640"},  {"name: $", "forger\n"}, {"welcome, forger"}};
    const BootEvidence evidence = boot(wanted, {});
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
  make_image(RootAccess::kWritable);
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
  make_image(RootAccess::kReadOnly);
  BootSpec wanted = spec(Firmware::kBios);
  wanted.expect = {{"never said"}};
  const core::Error error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.message(), HasSubstr("kernel panicked"));
  EXPECT_THAT(error.quote(), HasSubstr("giving up now"));
}

TEST_F(BootTest, SaysWhenRootDoesNotAppear) {
  write_rootfs();
  make_image(RootAccess::kReadOnly);
  // The same disk without its second partition's file system.
  core::Fd fd = core::open_file(path("disk.img"), O_WRONLY);
  ASSERT_EQ(::pwrite(fd.get(), std::string(4096, '\0').data(), 4096, 34 << 20), 4096);
  ASSERT_EQ(::pwrite(fd.get(), std::string(4096, '\0').data(), 4096, 33 << 20), 4096);
  BootSpec wanted = spec(Firmware::kBios);
  wanted.image = path("disk.img");
  wanted.format = ImageFormat::kRaw;
  wanted.expect = {{"hello"}};
  const core::Error error = error_of([&] { boot(wanted, {}); });
  EXPECT_EQ(error.kind(), core::Kind::kBoot);
  EXPECT_THAT(error.quote(), HasSubstr("did not appear within 20 seconds"));
  EXPECT_THAT(error.quote(), HasSubstr("block devices: "));
}

TEST_F(BootTest, ADiskWithoutAnythingRunsIntoTheDeadline) {
  spill(path("disk.img"), std::string(1 << 20, '\0'));
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
}  // namespace imgforge::image
