// ISO images whose files are links: looking into one reads no file of this machine in their place.
#include <gtest/gtest.h>

#include <fstream>

#include "builder/inspect/archived_root.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::inspect {
namespace {

namespace fs = std::filesystem;

class InspectedIso : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"tree/imgforge", "tree/isolinux", "work"})
      fs::create_directories(folder_ / name);
    put("secret", "MENU LABEL a secret of this machine\nAPPEND secret\n");
    put("tree/imgforge/root.squashfs", "hsqs");
    put("tree/isolinux/isolinux.cfg", "MENU LABEL demo\nAPPEND quiet\n");
  }
  void put(const char* name, const char* content) { std::ofstream(folder_ / name) << content; }
  void link(const char* name) {
    fs::remove(folder_ / name);
    fs::create_symlink(folder_ / "secret", folder_ / name);
  }
  fs::path look() {
    core::Command command;
    command.program = "xorriso";
    command.args = {
        "-as", "mkisofs", "-quiet", "-R", "-o", (folder_ / "test.iso").native(), (folder_ / "tree").native()};
    core::system_processes().check(command, {});
    return extract_from_iso(
        folder_ / "test.iso", found_,
        {core::system_processes(), core::no_progress(), {}, folder_ / "cache", folder_ / "work"});
  }
  core::TempDir folder_{fs::temp_directory_path(), "imgforge-inspected-iso"};
  FoundArtifact found_;
};

TEST_F(InspectedIso, AWholeOneIsRead) {
  EXPECT_EQ(fs::file_size(look()), 4u);
  EXPECT_EQ(found_.boot_entries, std::vector<std::string>{"demo"});
  EXPECT_EQ(found_.kernel_cmdline, "quiet");
}

TEST_F(InspectedIso, ALinkIsNoRootFileSystem) {
  link("tree/imgforge/root.squashfs");
  try {
    look();
    ADD_FAILURE() << "a link was taken";
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::Kind::kImage) << error.message();
  }
}

TEST_F(InspectedIso, ALinkIsNoMenu) {
  link("tree/isolinux/isolinux.cfg");
  look();
  EXPECT_TRUE(found_.boot_entries.empty());
  EXPECT_EQ(found_.kernel_cmdline, "");
}

}  // namespace
}  // namespace imgforge::inspect
