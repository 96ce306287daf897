#include "builder/guest/clean.hpp"

#include <gtest/gtest.h>

#include <set>

#include "core/process.hpp"
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

TEST(CleanUps, ScriptIsValidShell) {
  core::Command command;
  command.program = "sh";
  command.args = {"-n"};
  command.input = clean_script();
  core::system_processes().check(command, {});
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
