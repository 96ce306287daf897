#include "builder/guest/apk/apk_text.hpp"

#include <gtest/gtest.h>

namespace imgforge::guest {
namespace {

using Action = PlannedPackage::Action;

TEST(ApkText, NamesOfConstraints) {
  EXPECT_EQ(name_of_constraint("jq"), "jq");
  EXPECT_EQ(name_of_constraint("jq>=1.7"), "jq");
  EXPECT_EQ(name_of_constraint("libstdc++=13.2-r0"), "libstdc++");
  EXPECT_EQ(name_of_constraint("!busybox"), "busybox");
  EXPECT_EQ(name_of_constraint("jq~1.7"), "jq");
}

TEST(ApkText, WorldIsSortedAndANewConstraintReplacesTheOld) {
  EXPECT_EQ(next_world("zlib jq<2\nbusybox\n", {{"jq=1.7.1-r0", {}}, {"acl", {}}}, {{"zlib", {}}}),
            (std::vector<std::string>{"acl", "busybox", "jq=1.7.1-r0"}));
}

TEST(ApkText, PlanLines) {
  const std::vector<PlannedPackage> plan = parse_plan(
      "(1/5) Downgrading libssl3 (3.1.7-r0 -> 3.1.4-r5)\n"
      "(2/5) Installing hello-imgforge (1.1-r0)\n"
      "(3/5) Upgrading jq (1.6-r0 -> 1.7.1-r0)\n"
      "Executing busybox-1.36.1-r19.trigger\n"
      "(4/5) Purging acl (2.3-r0)\n"
      "(5/5) Replacing musl (1.2-r0 -> 1.2-r0)\n"
      "(broken\n(6/5) Installing\n"
      "OK: 7 MiB in 15 packages\n");
  const std::vector<PlannedPackage> expected{{Action::kDowngrade, "libssl3", "3.1.4-r5", "3.1.7-r0"},
                                             {Action::kInstall, "hello-imgforge", "1.1-r0", ""},
                                             {Action::kUpgrade, "jq", "1.7.1-r0", "1.6-r0"},
                                             {Action::kRemove, "acl", "2.3-r0", ""},
                                             {Action::kReplace, "musl", "1.2-r0", "1.2-r0"}};
  EXPECT_EQ(plan, expected);
  EXPECT_TRUE(parse_plan("OK: 7 MiB in 15 packages\n").empty());
}

TEST(ApkText, PlanLinesOfApk3) {
  const std::vector<PlannedPackage> plan = parse_plan(
      "( 1/12) Installing busybox-suid (1.36.1-r15)\n"
      "  Executing busybox-1.36.1-r19.trigger\n"
      "(12/12) Upgrading jq (1.6-r0 -> 1.7.1-r0)\n(   \n(\n");
  const std::vector<PlannedPackage> expected{{Action::kInstall, "busybox-suid", "1.36.1-r15", ""},
                                             {Action::kUpgrade, "jq", "1.7.1-r0", "1.6-r0"}};
  EXPECT_EQ(plan, expected);
}

TEST(ApkText, MissingPackages) {
  EXPECT_EQ(missing_packages("ERROR: unable to select packages:\n  nosuch (no such package):\n"
                             "    required by: world[nosuch]\n"),
            std::vector<std::string>{"nosuch"});
  EXPECT_TRUE(missing_packages("OK\n").empty());
}

TEST(ApkText, FailedScript) {
  const std::optional<FailedScript> failed = failed_script(
      "(1/1) Installing hello-imgforge-broken (1.0-r0)\nhello: failing\n"
      "ERROR: hello-imgforge-broken-1.0-r0.post-install: script exited with error 7\n1 error\n");
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->package, "hello-imgforge-broken");
  EXPECT_EQ(failed->script, "post-install");
  EXPECT_EQ(failed->exit_code, 7);
  EXPECT_FALSE(failed_script("OK: 7 MiB\n"));
  const std::optional<FailedScript> of_apk_3 = failed_script(
      "  Executing hello-bad-1.0-r0.post-install\n  * failing\n"
      "ERROR: lib/apk/exec/hello-bad-1.0-r0.post-install: exited with error 7\n1 error; 8080 KiB in 16 "
      "packages\n");
  ASSERT_TRUE(of_apk_3);
  EXPECT_EQ(of_apk_3->package, "hello-bad");
  EXPECT_EQ(of_apk_3->script, "post-install");
  EXPECT_EQ(of_apk_3->exit_code, 7);
}

}  // namespace
}  // namespace imgforge::guest
