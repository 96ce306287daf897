// EFI programs: unified kernel images, signatures and hash trees, judged by the tools that others use.
#include "builder/image/trust/secure_boot.hpp"

#include <gmock/gmock.h>

#include <thread>

#include "builder/image/trust/pe.hpp"
#include "builder/image/trust/uki.hpp"
#include "builder/image/trust/verity.hpp"
#include "signing/efi/secure_boot_keys.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

constexpr const char* kSystemdBoot = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
constexpr core::UnixTime kMade{std::chrono::seconds(1763600000)};

class SecureBootTest : public testing::ImageTest {
 protected:
  void make_keys(const char* name = "keys") const {
    signing::create_secure_boot_keys(path(name), "test", kMade);
  }
  void sign(const std::filesystem::path& program, const char* output) const {
    sign_efi_program(program, path(output), signing::load_program_signer(path("keys")));
  }
  void verify(const char* program, const char* keys = "keys") const {
    verify_efi_program(path(program), path(keys) / "db.crt", core::system_processes(), {});
  }
  void make(const char* output) const {
    UkiParts parts;
    parts.os_release = "ID=test\nPRETTY_NAME=Test\n";
    parts.cmdline = {"root=/dev/vda2", "ro"};
    parts.release = "6.1.0";
    parts.kernel = path("kernel");
    parts.initramfs = path("initramfs");
    make_uki(parts, path(output), path("."), core::system_processes(), {});
  }
  void make_parts() const {
    spill(path("kernel"), std::string(1'000'001, 'k'));
    spill(path("initramfs"), std::string(300'003, 'i'));
  }
};

TEST_F(SecureBootTest, ASignedProgramPassesSbverify) {
  make_keys();
  sign(kSystemdBoot, "boot.efi");
  verify("boot.efi");
  EXPECT_THAT(run("sbverify", {"--list", path("boot.efi").native()}), HasSubstr("CN=test Secure Boot db"));
  // The program itself is untouched, but for the place of the signature.
  const std::string original = slurp(kSystemdBoot);
  std::string made = slurp(path("boot.efi")).substr(0, original.size());
  int different = 0;
  for (std::size_t i = 0; i < original.size(); ++i) different += made[i] != original[i] ? 1 : 0;
  EXPECT_LE(different, 8);
}

TEST_F(SecureBootTest, TheDigestIsThatOfSbsign) {
  make_keys();
  make_parts();
  make("uki.efi");
  for (const std::filesystem::path& program : {std::filesystem::path(kSystemdBoot), path("uki.efi")}) {
    run("sbsign", {"--key", path("keys/db.key").native(), "--cert", path("keys/db.crt").native(), "--output",
                   path("theirs.efi").native(), program.native()});
    verify("theirs.efi");
    const PeFile ours(slurp(program), "ours");
    const core::Digest digest = ours.authenticode_sha256();
    EXPECT_THAT(slurp(path("theirs.efi")),
                HasSubstr(std::string(digest.bytes().begin(), digest.bytes().end())));
    std::filesystem::remove(path("theirs.efi"));
  }
}

TEST_F(SecureBootTest, EqualInputsGiveEqualBytes) {
  make_keys();
  make_parts();
  make("a.efi");
  sign(path("a.efi"), "a.signed");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // a time in it would show
  make("b.efi");
  sign(path("b.efi"), "b.signed");
  EXPECT_TRUE(slurp(path("a.efi")) == slurp(path("b.efi")));
  EXPECT_TRUE(slurp(path("a.signed")) == slurp(path("b.signed")));
}

TEST_F(SecureBootTest, AUkiHoldsItsParts) {
  make_keys();
  make_parts();
  make("uki.efi");
  const PeFile uki(slurp(path("uki.efi")), "uki");
  const std::pair<const char*, std::string> wanted[] = {{".osrel", "ID=test\nPRETTY_NAME=Test\n"},
                                                        {".cmdline", "root=/dev/vda2 ro"},
                                                        {".uname", "6.1.0"},
                                                        {".initrd", slurp(path("initramfs"))},
                                                        {".linux", slurp(path("kernel"))}};
  std::uint64_t end = 0;
  std::size_t found = 0;
  for (const PeSection& section : uki.sections()) {
    EXPECT_GE(section.address, end) << section.name << " overlaps";
    end = section.address + section.size;
    for (const auto& [name, content] : wanted) {
      if (section.name != name) continue;
      ++found;
      EXPECT_EQ(section.address % 4096, 0U) << name;
      EXPECT_TRUE(uki.bytes().substr(section.file_offset, section.size) == content) << name;
    }
  }
  EXPECT_EQ(found, 5U);
  EXPECT_EQ(uki.sections().back().name, ".linux");
  sign(path("uki.efi"), "signed.efi");
  verify("signed.efi");
}

TEST_F(SecureBootTest, AChangedOrForeignSignatureIsRefused) {
  make_keys();
  make_keys("others");
  make_parts();
  make("uki.efi");
  EXPECT_EQ(error_of([&] { verify("uki.efi"); }).kind(), core::Kind::kSignature);
  sign(path("uki.efi"), "signed.efi");
  EXPECT_EQ(error_of([&] { verify("signed.efi", "others"); }).kind(), core::Kind::kSignature);
  std::string changed = slurp(path("signed.efi"));
  changed[changed.find("root=/dev/vda2")] = 'b';
  spill(path("changed.efi"), changed);
  EXPECT_EQ(error_of([&] { verify("changed.efi"); }).kind(), core::Kind::kSignature);
  EXPECT_THAT(error_of([&] { sign(path("signed.efi"), "twice.efi"); }).message(),
              HasSubstr("signed already"));
  EXPECT_FALSE(std::filesystem::exists(path("twice.efi")));
}

TEST_F(SecureBootTest, DamagedProgramsAreRefused) {
  const std::string program = slurp(kSystemdBoot);
  for (const std::string& text :
       {std::string(), std::string("MZ"), std::string(4096, 'x'), "MZ" + std::string(4096, '\xff')}) {
    EXPECT_EQ(error_of([&] { PeFile(text, "file"); }).kind(), core::Kind::kImage);
  }
  for (const std::size_t size : {64UL, 128UL, 200UL, 300UL, 600UL, 100'000UL}) {
    EXPECT_EQ(error_of([&] { PeFile(program.substr(0, size), "file"); }).kind(), core::Kind::kImage) << size;
  }
  // Whatever the headers say, it is a result or an error.
  for (std::size_t offset = 0; offset < 700; ++offset) {
    for (const int value : {0x00, 0x7F, 0xFF}) {
      std::string damaged = program;
      damaged[offset] = static_cast<char>(value);
      try {
        PeFile(damaged, "file").authenticode_sha256();
      } catch (const core::Error& error) {
        EXPECT_EQ(error.kind(), core::Kind::kImage);
      }
    }
  }
}

TEST_F(SecureBootTest, AVerityTreeIsReproducibleAndFindsChanges) {
  for (const std::size_t blocks : {1UL, 2UL, 128UL, 129UL, 5000UL}) {
    SCOPED_TRACE(blocks);
    std::string data(blocks * 4096, 'd');
    for (std::size_t i = 0; i < data.size(); i += 4096) data[i] = static_cast<char>(i >> 12);
    spill(path("data"), data);
    const auto tree = [&](const char* name, const char* identity) {
      std::filesystem::remove(path(name));
      return make_verity_tree(path("data"), path(name), identity, core::system_processes(), {});
    };
    const std::string root = tree("tree", "x");
    EXPECT_EQ(root.size(), 64U);
    EXPECT_EQ(tree("again", "x"), root);
    EXPECT_TRUE(slurp(path("tree")) == slurp(path("again")));
    EXPECT_NE(tree("other", "y"), root);
    EXPECT_EQ(std::filesystem::file_size(path("tree")), verity_size(data.size()));
    check_verity_tree(path("data"), path("tree"), root, core::system_processes(), {});
    data[data.size() - 1] ^= 1;
    spill(path("data"), data);
    EXPECT_EQ(error_of([&] {
                check_verity_tree(path("data"), path("tree"), root, core::system_processes(), {});
              }).kind(),
              core::Kind::kIntegrity);
  }
  spill(path("odd"), std::string(4097, 'x'));
  EXPECT_THAT(error_of([&] {
                make_verity_tree(path("odd"), path("odd.tree"), "x", core::system_processes(), {});
              }).message(),
              HasSubstr("no whole blocks"));
}

TEST_F(SecureBootTest, WordsAndNames) {
  EXPECT_THAT(verity_words("ab", "/dev/vda3"),
              ::testing::ElementsAre("imgforge.verity=ab", "imgforge.verity_device=/dev/vda3"));
  EXPECT_EQ(uki_path("hello"), "EFI/Linux/hello.efi");
  EXPECT_EQ(enrolment_files("/keys")[2].path, "loader/keys/auto/db.auth");
}

}  // namespace
}  // namespace imgforge::image
