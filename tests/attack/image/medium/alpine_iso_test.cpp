// ISO images that are not Alpine's, or are meant to do harm: each is refused with what is wrong, quickly, and
// leaves nothing behind.
#include "builder/image/medium/alpine_iso.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::image {
namespace {

namespace fs = std::filesystem;

class AlpineIsoAttack : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* path : {"boot/vmlinuz-virt", "boot/initramfs-virt", "boot/modloop-virt",
                             "apks/x86_64/APKINDEX.tar.gz", "boot/boot.img"}) {
      put(path, path);
    }
    put(".alpine-release", "alpine-virt-3.22.2 251008\n");
    fs::create_directory(work());
  }
  fs::path tree() const { return folder_ / "tree"; }
  fs::path work() const { return folder_ / "work"; }
  void put(const fs::path& path, const std::string& content) {
    fs::create_directories((tree() / path).parent_path());
    std::ofstream(tree() / path) << content;
  }
  fs::path make(const std::vector<std::string>& more = {"-b", "boot/boot.img", "-no-emul-boot"}) {
    const fs::path iso = folder_ / "test.iso";
    fs::remove(iso);
    core::Command command;
    command.program = "xorriso";
    command.args = {"-as", "mkisofs", "-quiet", "-R", "-J", "-V", "ALPINE", "-o", iso.native()};
    command.args.insert(command.args.end(), more.begin(), more.end());
    command.args.push_back(tree().native());
    core::system_processes().check(command, {});
    return iso;
  }
  AlpineIso examine(const fs::path& iso) {
    fs::remove_all(work());
    fs::create_directory(work());
    return examine_alpine_iso(iso, "x86_64", work(), core::system_processes(), {});
  }
  void refused(const fs::path& iso, const std::string& says) {
    try {
      examine(iso);
      ADD_FAILURE() << "it was taken: " << says;
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::Kind::kImage) << error.message();
      EXPECT_NE((error.message() + error.quote()).find(says), std::string::npos)
          << error.message() << error.quote();
    }
  }
  core::TempDir folder_{fs::temp_directory_path(), "imgforge-alpine-iso"};
};

TEST_F(AlpineIsoAttack, AWholeOneIsTaken) {
  const AlpineIso iso = examine(make());
  EXPECT_EQ(iso.title, "alpine-virt-3.22.2 251008");
  EXPECT_EQ(iso.kernel, "boot/vmlinuz-virt");
  EXPECT_EQ(iso.facts.volume_id, "ALPINE");
  EXPECT_TRUE(iso.facts.bios);
  EXPECT_EQ(iso.files.at("boot/modloop-virt"), 17u);
}

TEST_F(AlpineIsoAttack, AnotherMediumIsToldWithAllThatItLacks) {
  fs::remove(tree() / "boot/modloop-virt");
  fs::remove(tree() / ".alpine-release");
  fs::remove_all(tree() / "apks");
  refused(
      make(),
      "is not an Alpine ISO image: it lacks .alpine-release, boot/modloop-*, apks/x86_64/APKINDEX.tar.gz");
}

TEST_F(AlpineIsoAttack, NoIsoImageAtAll) {
  for (const std::string& content :
       {std::string(), std::string("text"), std::string(511, 'x'), std::string(1 << 20, '\0')}) {
    std::ofstream(folder_ / "other", std::ios::trunc) << content;
    refused(folder_ / "other", "is not a whole ISO image");
  }
}

TEST_F(AlpineIsoAttack, CutImages) {
  put("boot/modloop-virt", std::string(1 << 20, 'm'));
  const fs::path iso = make();
  const auto size = fs::file_size(iso);
  for (const auto part : {size / 4, size / 2, size - 400 * 1024}) {
    fs::resize_file(iso, part);
    refused(iso, "is not a whole ISO image");
    fs::remove(iso);
    make();
  }
}

TEST_F(AlpineIsoAttack, LinksThatLeadOutOfTheImageAreNotFollowed) {
  std::ofstream(folder_ / "secret") << "alpine-virt-3.22.2 251008\n";
  fs::remove(tree() / ".alpine-release");
  fs::create_symlink(folder_ / "secret", tree() / ".alpine-release");
  refused(make(), "it lacks .alpine-release");
  fs::remove(tree() / ".alpine-release");
  put(".alpine-release", "alpine-virt-3.22.2 251008\n");
  fs::rename(tree() / "apks", folder_ / "apks");
  fs::create_symlink(folder_ / "apks", tree() / "apks");
  refused(make(), "it lacks apks/x86_64/APKINDEX.tar.gz");
}

TEST_F(AlpineIsoAttack, AReleaseFileThatSaysSomethingElse) {
  put(".alpine-release", "debian-12\n");
  refused(make(), ".alpine-release says \"debian-12\"");
  put(".alpine-release", "alpine-virt-3.22.2\x1b[31m red\n");
  refused(make(), ".alpine-release says");
  put(".alpine-release",
      "alpine-a" + std::string(60, '-') + "!\n");  // took a second for 28 of them, then doubled
  refused(make(), ".alpine-release says");
  put(".alpine-release", std::string("alpine-virt-") + std::string(4000, '1'));
  refused(make(), ".alpine-release says");
  put(".alpine-release", std::string(5000, 'a'));
  refused(make(), "is larger than");
}

TEST_F(AlpineIsoAttack, OneThatIsConfiguredOrDoesNotStart) {
  refused(make({}), "does not start");
  put("host.apkovl.tar.gz", "x");
  refused(make(), "has a configuration already: host.apkovl.tar.gz");
}

TEST_F(AlpineIsoAttack, RemasteringKeepsAllAndIsRepeatable) {
  const fs::path iso = make();
  const AlpineIso found = examine(iso);
  std::ofstream(folder_ / "added") << "configuration";
  const auto remaster = [&](const std::string& name, const std::string& id, std::int64_t epoch) {
    const fs::path output = folder_ / name;
    remaster_iso(iso, found, {id, "demo.apkovl.tar.gz", folder_ / "added", epoch}, output,
                 core::system_processes(), {});
    return output;
  };
  const fs::path first = remaster("first.iso", "", 1700000000);
  const fs::path second = remaster("second.iso", "", 1700000000);
  EXPECT_EQ(core::digest_of_file(core::HashAlgorithm::kSha256, first),
            core::digest_of_file(core::HashAlgorithm::kSha256, second));
  const IsoFacts facts = check_iso(first, core::system_processes(), {});
  EXPECT_EQ(facts.volume_id, "ALPINE");
  EXPECT_EQ(facts.modified, 1700000000);
  EXPECT_EQ(check_iso(remaster("third.iso", "DEMO", 1), core::system_processes(), {}).volume_id, "DEMO");
  refused(first, "has a configuration already");
}

}  // namespace
}  // namespace imgforge::image
