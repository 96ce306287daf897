// The files of the page, and the packages that it takes some from.
#include "builder/dashboard/assets.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "core/temp_dir.hpp"

namespace imgforge::dashboard {
namespace {

namespace fs = std::filesystem;

TEST(Assets, DoctorSaysWhichPackageIsMissing) {
  const core::TempDir root(fs::temp_directory_path(), "packages");
  fs::create_directories(root / "usr/share/novnc/core");
  std::ofstream(root / "usr/share/novnc/core/rfb.js") << "export {};";
  const std::vector<machine::Finding> findings = examine_packages(root.path());
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].subject, "xterm.js");
  EXPECT_EQ(findings[0].health, machine::Health::kWarning);
  EXPECT_EQ(findings[0].detail, "missing: consoles in the dashboard");
  EXPECT_NE(findings[0].mend.find("install node-xterm"), std::string::npos);
  EXPECT_EQ(findings[1].subject, "noVNC");
  EXPECT_EQ(findings[1].health, machine::Health::kGood);
  EXPECT_EQ(findings[1].detail, "/usr/share/novnc");
  EXPECT_EQ(findings[1].mend, "");
}

/// ci/setup installs both: what doctor looks for is what the page is given.
TEST(Assets, WhatDoctorLooksForIsServed) {
  for (const machine::Finding& finding : examine_packages())
    EXPECT_EQ(finding.health, machine::Health::kGood) << finding.subject;
  for (const char* path : {"/", "/page.js", "/parts.js", "/snapshots.js", "/vendor/xterm.js",
                           "/vendor/xterm.css", "/vendor/novnc/core/rfb.js"}) {
    const auto file = page_file(path);
    ASSERT_TRUE(file) << path;
    EXPECT_EQ(file->status, 200) << path;
  }
  EXPECT_EQ(page_file("/vendor/novnc/core/../../novnc/vnc.html")->status, 404);
  EXPECT_FALSE(page_file("/none.js"));
}

}  // namespace
}  // namespace imgforge::dashboard
