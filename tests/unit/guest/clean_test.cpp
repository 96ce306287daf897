#include "builder/guest/clean.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "core/atomic_file.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

TEST(CleanUps, AreNamedDescribedAndStayOnAbsolutePaths) {
  std::set<std::string_view> names;
  for (const CleanUp& clean_up : clean_ups()) {
    EXPECT_TRUE(names.insert(clean_up.name).second) << clean_up.name;
    EXPECT_FALSE(clean_up.description.empty()) << clean_up.name;
    for (const std::string& path : core::split(clean_up.paths, ' ')) {
      EXPECT_TRUE(path.starts_with("/")) << path;
      EXPECT_GT(path.size(), 5U) << path;
    }
  }
  for (const char* name :
       {"machine-id", "ssh-host-keys", "random-seed", "apk-cache", "logs", "resolv-conf"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

/// A root file system with busybox, entered without rights; scripts run there as in a sandbox.
class CleaningTest : public ::testing::Test {
 protected:
  CleaningTest() {
    std::filesystem::create_directories(root_ / "bin");
    std::filesystem::copy_file("/bin/busybox", root_ / "bin/busybox");
    for (const char* name : {"sh", "rm", "find", "sed", "cat", "printf"})
      std::filesystem::create_symlink("busybox", root_ / "bin" / name);
  }
  void write(const std::string& path) {
    const std::filesystem::path file = root_ / path.substr(1);
    std::filesystem::create_directories(file.parent_path());
    core::write_file_atomically(file, "x\n");
  }
  bool is_there(const std::string& path) {
    std::error_code error;
    return std::filesystem::symlink_status(root_ / path.substr(1), error).type() !=
           std::filesystem::file_type::not_found;
  }
  void clean() {
    core::Command command;
    command.program = "unshare";
    command.args = {"--map-root-user", "--root=" + root_.path().native(), "/bin/sh"};
    command.input = clean_script(recipe_);
    core::system_processes().check(command, {});
  }
  void name_file(const std::string& path) {
    recipe_.files.push_back({path, "x\n", 0644, "root", "root", {}});
  }

  core::TempDir root_{std::filesystem::temp_directory_path(), "clean"};
  recipe::ResolvedRecipe recipe_;
};

constexpr const char* kTraces[] = {
    "/etc/resolv.conf",      "/etc/ssh/ssh_host_ed25519_key", "/var/log/app/README", "/var/tmp/seed",
    "/var/tmp/deep/er/seed", "/var/lib/seedrng/seed",         "/root/.ash_history",  "/etc/passwd-",
    "/var/cache/apk/a.apk",  "/etc/apk/cache/b.apk",          "/var/tmp/.hidden"};

TEST_F(CleaningTest, TakesTracesAway) {
  for (const char* path : kTraces) write(path);
  write("/etc/machine-id");
  write("/etc/ssh/sshd_config");
  clean();
  for (const char* path : kTraces) EXPECT_FALSE(is_there(path)) << path;
  EXPECT_EQ(std::filesystem::file_size(root_ / "etc/machine-id"), 0U);
  EXPECT_TRUE(is_there("/var/log/app")) << "folders of logs stay";
  EXPECT_TRUE(is_there("/etc/ssh/sshd_config"));
}

TEST_F(CleaningTest, LeavesWhatTheRecipeNames) {
  for (const char* path : kTraces) {
    write(path);
    name_file(path);
  }
  write("/etc/machine-id");
  name_file("/etc/machine-id");
  for (const char* other : {"/var/tmp/deep/other", "/var/log/app/other", "/etc/ssh/ssh_host_rsa_key"})
    write(other);
  clean();
  for (const char* path : kTraces) EXPECT_TRUE(is_there(path)) << path;
  EXPECT_EQ(std::filesystem::file_size(root_ / "etc/machine-id"), 2U);
  for (const char* other : {"/var/tmp/deep/other", "/var/log/app/other", "/etc/ssh/ssh_host_rsa_key"})
    EXPECT_FALSE(is_there(other)) << other;
}

TEST_F(CleaningTest, LeavesLinksAndFoldersThatTheRecipeNames) {
  std::filesystem::create_directories(root_ / "etc");
  std::filesystem::create_symlink("../run/resolv.conf", root_ / "etc/resolv.conf");
  recipe_.links.push_back({"/etc/resolv.conf", "../run/resolv.conf", {}});
  std::filesystem::create_directories(root_ / "var/tmp/kept");
  recipe_.directories.push_back({"/var/tmp/kept", 0755, "root", "root", {}});
  write("/var/tmp/kept/build-log");
  clean();
  EXPECT_TRUE(is_there("/etc/resolv.conf"));
  EXPECT_TRUE(is_there("/var/tmp/kept"));
  EXPECT_FALSE(is_there("/var/tmp/kept/build-log"));
}

TEST_F(CleaningTest, NamesAreNoPatterns) {
  for (const char* path : {"/var/log/a*", "/var/log/ab", "/var/tmp/it's [x] $(touch y)", "/var/tmp/z"})
    write(path);
  name_file("/var/log/a*");
  name_file("/var/tmp/it's [x] $(touch y)");
  clean();
  EXPECT_TRUE(is_there("/var/log/a*"));
  EXPECT_FALSE(is_there("/var/log/ab"));
  EXPECT_TRUE(is_there("/var/tmp/it's [x] $(touch y)"));
  EXPECT_FALSE(is_there("/var/tmp/z"));
}

TEST(Quoting, SurvivesTheShell) {
  const std::string nasty = "it's $(x) `y` \\ \"z\"\n*";
  core::Command command;
  command.program = "sh";
  command.args = {"-c", "printf %s " + core::shell_quoted(nasty)};
  EXPECT_EQ(core::system_processes().check(command, {}).out, nasty);
}

}  // namespace
}  // namespace imgforge::guest
