#include "builder/guest/apk/apkovl.hpp"

#include <gtest/gtest.h>

#include "artifacts/tar/tar.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::guest {
namespace {

class Apkovl : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* path : {"/etc", "/sbin", "/etc/init.d", "/root"})
      facts_.paths[path] = {PathKind::kDirectory, path};
    for (const char* path : {"/sbin/openrc-run", "/etc/init.d/chronyd"})
      facts_.paths[path] = {PathKind::kOther, {}};
    facts_.texts["/etc/passwd"] = "root:x:0:0:root:/root:/bin/sh\n";
    facts_.texts["/etc/group"] = "root:x:0:root\nshadow:x:42:\n";
    facts_.texts["/etc/shadow"] = "root:*::0:::::\n";
    facts_.texts["/etc/hosts"] = "127.0.0.1\tlocalhost\n";
    recipe_.hostname = "kiosk";
    recipe_.packages.add = {{"chrony", {}}, {"acct=6.6.4-r2", {}}};
  }
  std::map<std::string, std::string> members() {
    const std::filesystem::path tar = folder_ / "out.tar";
    write_apkovl(recipe_, facts_, 1700000000, tar);
    std::map<std::string, std::string> out;
    artifacts::TarReader reader(tar, {});
    artifacts::TarEntry entry;
    while (reader.next(entry)) {
      EXPECT_EQ(entry.mtime, 1700000000) << entry.path;
      out[entry.path] = entry.type == artifacts::EntryType::kSymlink ? "-> " + entry.link_target
                        : entry.type == artifacts::EntryType::kFile  ? reader.read_text()
                                                                     : "";
    }
    return out;
  }
  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-apkovl"};
  recipe::ResolvedRecipe recipe_;
  Facts facts_;
};

TEST_F(Apkovl, HasWorldNameAndServices) {
  recipe_.services = {{"default", "chronyd", {}}};
  recipe_.files.push_back({"/etc/motd", "hello\n", 0644, "root", "root", {}});
  const auto files = members();
  EXPECT_EQ(files.at("etc/apk/world"), "acct=6.6.4-r2\nalpine-base\nchrony\n");
  EXPECT_EQ(files.at("etc/hostname"), "kiosk\n");
  EXPECT_EQ(files.at("etc/runlevels/default/chronyd"), "-> /etc/init.d/chronyd");
  EXPECT_EQ(files.at("etc/.default_boot_services"), "");
  EXPECT_EQ(files.at("etc/motd"), "hello\n");
  EXPECT_FALSE(files.contains("etc/inittab"));
  EXPECT_FALSE(files.contains("etc/passwd")) << "without users the files of the medium stay";
  EXPECT_EQ(apkovl_name(recipe_), "kiosk.apkovl.tar.gz");
  recipe_.hostname.clear();
  EXPECT_EQ(apkovl_name(recipe_), "localhost.apkovl.tar.gz");
}

TEST_F(Apkovl, AccountsBuildOnTheFilesOfTheMedium) {
  recipe::User user;
  user.name = "voice";
  user.uid = 2000;
  recipe_.users = {user};
  const auto files = members();
  EXPECT_EQ(files.at("etc/passwd").find("root:x:0:0:root:/root:/bin/sh\nvoice:x:2000:"), 0u);
  EXPECT_TRUE(files.contains("home/voice"));
}

TEST_F(Apkovl, EqualInputsGiveEqualBytes) {
  members();
  const std::string first = core::read_text_file(folder_ / "out.tar");
  members();
  EXPECT_EQ(core::read_text_file(folder_ / "out.tar"), first);
}

TEST_F(Apkovl, AServiceThatNoPackageBringsIsRefused) {
  recipe_.services = {{"default", "chronid", {"r.yaml", 3, 1, 1, ""}}};
  facts_.services = {"chronyd"};
  try {
    members();
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::Kind::kCustomize);
    EXPECT_NE(error.hint().find("chronyd"), std::string::npos);
  }
}

}  // namespace
}  // namespace imgforge::guest
