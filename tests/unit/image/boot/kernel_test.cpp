#include "builder/image/boot/kernel.hpp"

#include <gmock/gmock.h>

#include "builder/image/boot/initramfs.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using artifacts::EntryType;
using testing::error_of;
using testing::fake_kernel;
using ::testing::HasSubstr;
using testing::TarBuilder;

class KernelTest : public testing::ImageTest {
 protected:
  std::filesystem::path tar() const { return path("rootfs.tar"); }
};

TEST_F(KernelTest, FindsAlpinesKernelByWhatTheImageSays) {
  TarBuilder(tar())
      .directory("boot")
      .file("boot/config-virt", "CONFIG_RD_GZIP=y\nCONFIG_RD_ZSTD=y\n")
      .file("boot/vmlinuz-virt", fake_kernel("6.6.117-0-virt"))
      .directory("lib")
      .directory("lib/modules")
      .directory("lib/modules/6.6.117-0-virt")
      .file("lib/modules/6.6.117-0-virt/modules.builtin", "kernel/fs/ext4/ext4.ko\n")
      .file("lib/modules/6.6.117-0-virt/modules.dep", "kernel/a.ko.gz:\n")
      .finish();
  const KernelFiles kernel = find_kernels(RootfsArchive(tar()), {}, 1).front();
  EXPECT_EQ(kernel.release, "6.6.117-0-virt");
  EXPECT_EQ(kernel.modules_folder, "lib/modules/6.6.117-0-virt");
  EXPECT_EQ(kernel.initramfs_compression(), InitramfsCompression::kZstd);
  EXPECT_TRUE(kernel.modules.is_builtin("ext4"));
}

TEST_F(KernelTest, TakesTheNewestReleaseThatHasModulesThroughMergedUsr) {
  TarBuilder(tar())
      .directory("boot")
      .file("boot/vmlinuz-6.1.10", fake_kernel("6.1.10"))
      .file("boot/vmlinuz-6.1.9", fake_kernel("6.1.9"))
      .file("boot/vmlinuz-6.12.0", fake_kernel("6.12.0"))
      .link("lib", "usr/lib")
      .directory("usr")
      .directory("usr/lib")
      .directory("usr/lib/modules")
      .directory("usr/lib/modules/6.1.10")
      .file("usr/lib/modules/6.1.10/modules.dep", "")
      .directory("usr/lib/modules/6.1.9")
      .file("usr/lib/modules/6.1.9/modules.dep", "")
      .link("vmlinuz", "boot/vmlinuz-6.1.10")
      .finish();
  const RootfsArchive rootfs(tar());
  const KernelFiles kernel = find_kernels(rootfs, {}, 1).front();
  EXPECT_EQ(kernel.release, "6.1.10");
  EXPECT_EQ(kernel.modules_folder, "usr/lib/modules/6.1.10");
  EXPECT_EQ(kernel.initramfs_compression(),
            InitramfsCompression::kGzip);  // no configuration: the safe choice
}

TEST_F(KernelTest, TheNamedPackagesKernelComesFirst) {
  TarBuilder builder(tar());
  builder.directory("boot").directory("lib").directory("lib/modules");
  for (const char* release : {"6.6.117-0-virt", "6.6.117-0-lts", "6.12.1-0-edge"}) {
    const std::string name(release);
    builder.file("boot/vmlinuz" + name.substr(name.rfind('-')), fake_kernel(name))
        .directory("lib/modules/" + name)
        .file("lib/modules/" + name + "/modules.dep", "");
  }
  builder.finish();
  const RootfsArchive rootfs(tar());
  const auto releases = [&](std::string_view package, std::size_t most) {
    std::vector<std::string> out;
    for (const KernelFiles& kernel : find_kernels(rootfs, package, most)) out.push_back(kernel.release);
    return out;
  };
  using Words = std::vector<std::string>;
  EXPECT_EQ(releases("linux-lts", 2), (Words{"6.6.117-0-lts", "6.12.1-0-edge"}));
  EXPECT_EQ(releases("linux-virt", 9), (Words{"6.6.117-0-virt", "6.12.1-0-edge", "6.6.117-0-lts"}));
  EXPECT_EQ(releases("", 1), (Words{"6.12.1-0-edge"}));
  const core::Error missing = error_of([&] { releases("linux-rpi", 2); });
  EXPECT_EQ(missing.message(),
            "the rootfs holds no kernel of linux-rpi (boot/vmlinuz-rpi), but 6.12.1-0-edge");
  EXPECT_THAT(missing.hint(), HasSubstr("packages.add: linux-rpi"));
}

TEST_F(KernelTest, AModuleThatDepmodCouldNotReadIsNoticed) {
  TarBuilder(tar())
      .directory("bin")
      .directory("boot")
      .file("boot/vmlinuz-lts", fake_kernel("6.6.1-lts"))
      .directory("lib")
      .directory("lib/modules")
      .directory("lib/modules/6.6.1-lts")
      .file("lib/modules/6.6.1-lts/modules.dep", "kernel/fs/ext4.ko:\n")
      .directory("lib/modules/6.6.1-lts/kernel")
      .file("lib/modules/6.6.1-lts/kernel/squashfs.ko.gz", "x")
      .finish();
  const RootfsArchive rootfs(tar());
  const KernelFiles kernel = find_kernels(rootfs, {}, 1).front();
  const core::Error error = error_of([&] { make_initramfs(rootfs, kernel, {}); });
  EXPECT_EQ(error.message(),
            "lib/modules/6.6.1-lts/modules.dep leaves out "
            "lib/modules/6.6.1-lts/kernel/squashfs.ko.gz, which the initramfs needs");
}

TEST_F(KernelTest, SaysWhatIsMissing) {
  TarBuilder(tar()).directory("boot").finish();
  const core::Error none = error_of([&] { find_kernels(RootfsArchive(tar()), {}, 1); });
  EXPECT_EQ(none.kind(), core::Kind::kImage);
  EXPECT_THAT(none.hint(), HasSubstr("linux-virt"));

  TarBuilder(tar()).directory("boot").file("boot/vmlinuz", fake_kernel("6.6.1")).finish();
  const core::Error modules = error_of([&] { find_kernels(RootfsArchive(tar()), {}, 1); });
  EXPECT_EQ(modules.kind(), core::Kind::kImage);
  EXPECT_THAT(modules.message(), HasSubstr("lib/modules/6.6.1/modules.dep"));

  TarBuilder(tar()).directory("boot").file("boot/vmlinuz", std::string(9000, 'x')).finish();
  EXPECT_EQ(error_of([&] { find_kernels(RootfsArchive(tar()), {}, 1); }).kind(), core::Kind::kImage);
}

TEST_F(KernelTest, AReleaseThatIsNoNameIsRefused) {
  for (const std::string& release :
       {std::string("../../etc"), std::string("a\x1b[2J"), std::string(300, 'a'), std::string()}) {
    EXPECT_EQ(error_of([&] { kernel_release(fake_kernel(release), "vmlinuz"); }).kind(), core::Kind::kImage);
  }
}

TEST_F(KernelTest, PathsFollowLinksInsideTheArchiveOnly) {
  TarBuilder(tar())
      .link("abs", "/usr/lib/a")
      .link("loop1", "loop2")
      .link("loop2", "loop1")
      .link("out", "../../../usr/lib/a")
      .directory("usr")
      .directory("usr/lib")
      .file("usr/lib/a", "text")
      .link("usr/lib/b", "usr/lib/a", EntryType::kHardlink)
      .link("usr/lib/c", "./a")
      .finish();
  const RootfsArchive rootfs(tar());
  for (const char* name : {"abs", "/out", "usr/lib/b", "usr/lib/c", "usr//lib/./a"}) {
    EXPECT_EQ(rootfs.resolve(name), "usr/lib/a") << name;
  }
  EXPECT_FALSE(rootfs.resolve("loop1"));
  EXPECT_FALSE(rootfs.resolve("etc/passwd"));
  EXPECT_EQ(rootfs.list("usr/lib"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(rootfs.read({"usr/lib/a"}).at("usr/lib/a"), "text");
  EXPECT_EQ(error_of([&] { rootfs.read({"usr/lib/a"}, 2); }).kind(), core::Kind::kImage);
  EXPECT_EQ(error_of([&] { rootfs.read({"missing"}); }).kind(), core::Kind::kImage);
}

}  // namespace
}  // namespace imgforge::image
