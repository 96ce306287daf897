#include "builder/image/trust/secure_disk.hpp"

#include <gmock/gmock.h>

#include "builder/image/disk/gpt.hpp"
#include "builder/image/trust/verity.hpp"
#include "core/text.hpp"
#include "signing/efi/secure_boot_keys.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::error_of;
using testing::fake_kernel;
using ::testing::HasSubstr;
using ::testing::Not;

class SecureDiskTest : public testing::ImageTest {
 protected:
  void SetUp() override {
    signing::create_secure_boot_keys(path("keys"), "test", core::UnixTime(std::chrono::seconds(1763600000)));
    spill(path("root.squashfs"), std::string(300 << 10, 's'));
    spill(path("vmlinuz"), fake_kernel("6.6.1-virt"));
    spill(path("initramfs"), std::string(5000, 'i'));
    boot.kernels.push_back({"6.6.1-virt", path("vmlinuz"), path("initramfs"), {}, 0, {}});
    spec.size = core::mib(64);
    spec.identity = "test 1";
    spec.epoch = 1763600000;
    spec.keys = path("keys");
    spec.menu.title = "my \"own\" system";
  }

  DiskLayout make(const char* name) {
    const std::string work = std::string(name) + ".work";
    std::filesystem::create_directory(path(work.c_str()));
    return make_secure_disk(path("root.squashfs"), boot, spec, path(name), path(work.c_str()),
                            core::system_processes(), {});
  }

  std::string on_esp(const char* image, const std::string& file) {
    run("mcopy", {"-n", "-i", path(image).native() + "@@1M", "::" + file, path("out").native()});
    return slurp(path("out"));
  }

  BootFiles boot;
  SecureDiskSpec spec;
};

TEST_F(SecureDiskTest, EveryProgramIsSignedAndTheCommandLineNamesTheRootHash) {
  const DiskLayout layout = make("disk.img");
  EXPECT_EQ(check_gpt(path("disk.img")), 3u);
  for (const char* program :
       {"EFI/BOOT/BOOTX64.EFI", "EFI/Linux/imgforge.efi", "EFI/Linux/imgforge-recovery.efi"}) {
    on_esp("disk.img", program);
    verify_efi_program(path("out"), path("keys") / "db.crt", core::system_processes(), {});
  }
  const std::string uki = on_esp("disk.img", "EFI/Linux/imgforge.efi");
  const std::string hash =
      make_verity_tree(path("root.squashfs"), path("tree"), "test 1", core::system_processes(), {});
  EXPECT_THAT(uki, HasSubstr("imgforge.verity=" + hash));
  EXPECT_THAT(uki, HasSubstr("PRETTY_NAME=\"my  own  system\""));
  EXPECT_THAT(core::join(layout.cmdline, " "), HasSubstr("imgforge.verity=" + hash));
  const std::string disk = slurp(path("disk.img"));
  EXPECT_EQ(disk.substr(layout.root_start, 300 << 10), slurp(path("root.squashfs")));
  EXPECT_EQ(on_esp("disk.img", "loader/loader.conf"),
            "default imgforge.efi\ntimeout 0\neditor no\nsecure-boot-enroll manual\n");
  EXPECT_EQ(on_esp("disk.img", "loader/keys/auto/db.auth"), slurp(path("keys") / "db.auth"));
}

TEST_F(SecureDiskTest, EqualArgumentsGiveEqualBytes) {
  make("one.img");
  make("two.img");
  EXPECT_TRUE(slurp(path("one.img")) == slurp(path("two.img")));
}

TEST_F(SecureDiskTest, KeysStayOutWhenNobodyIsToEnrolThem) {
  spec.enrolment = Enrolment::kNone;
  make("disk.img");
  EXPECT_THAT(run("mdir", {"-/", "-b", "-i", path("disk.img").native() + "@@1M", "::"}),
              Not(HasSubstr("PK.auth")));
}

TEST_F(SecureDiskTest, TooSmallSaysByHowMuch) {
  spec.size = core::mib(4);
  const core::Error error = error_of([&] { make("disk.img"); });
  EXPECT_EQ(error.kind(), core::Kind::kImage);
  EXPECT_THAT(error.message(), HasSubstr("a disk of 4M is too small"));
  EXPECT_THAT(error.hint(), HasSubstr("raise disk.size to "));
  EXPECT_FALSE(std::filesystem::exists(path("disk.img")));
}

}  // namespace
}  // namespace imgforge::image
