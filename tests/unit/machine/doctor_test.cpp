#include "builder/machine/doctor.hpp"

#include <gtest/gtest.h>

#include "builder/machine/tool_versions.hpp"
#include "builder/machine/tools.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::machine {
namespace {

TEST(Versions, AreFoundInWhatProgramsPrint) {
  EXPECT_EQ(version_in("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg)"), "7.2.22");
  EXPECT_EQ(version_in("mke2fs 1.47.0 (5-Feb-2023)"), "1.47.0");
  EXPECT_EQ(version_in("mtools 4.0.32."), "4.0.32");
  EXPECT_EQ(version_in("no number 5 here"), "");
}

TEST(Versions, CompareByNumberNotByText) {
  EXPECT_LT(compare_versions("1.9", "1.10"), 0);
  EXPECT_EQ(compare_versions("1.0", "1.0.0"), 0);
  EXPECT_GT(compare_versions("7.2.22", "5.2"), 0);
}

TEST(Tools, AMissingProgramNamesItsPackage) {
  try {
    require_file("/nonexistent/firmware.fd", "ovmf");
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::Kind::kMachine);
    EXPECT_NE(error.hint().find("ovmf"), std::string::npos);
  }
  EXPECT_THROW(require_program("no-such-program"), core::Error);
}

/// Counts program starts and answers with one version.
class Counting : public core::ProcessRunner {
 public:
  core::ProcessResult run(const core::Command&, const core::CancelToken&) override {
    ++starts;
    return {0, "version 9.8.7\n", ""};
  }
  int starts = 0;
};

TEST(ToolVersions, AreAskedOncePerProgramFile) {
  const core::TempDir cache(std::filesystem::temp_directory_path(), "tool-versions");
  Counting processes;
  const core::CancelToken cancel;
  EXPECT_EQ(tool_versions({"mke2fs"}, processes, cache.path(), cancel).at("mke2fs"), "9.8.7");
  EXPECT_EQ(tool_versions({"mke2fs"}, processes, cache.path(), cancel).at("mke2fs"), "9.8.7");
  EXPECT_EQ(processes.starts, 1);
}

TEST(Doctor, SeesThisMachine) {
  const core::TempDir cache(std::filesystem::temp_directory_path(), "doctor");
  const auto findings =
      examine_machine(core::system_processes(), cache.path(), cache.path(), core::CancelToken());
  bool saw_qemu_img = false;
  for (const Finding& finding : findings) {
    if (finding.health == Health::kBad) {
      EXPECT_FALSE(finding.detail.empty());
    }
    saw_qemu_img |= finding.subject == "qemu-img";
  }
  EXPECT_TRUE(saw_qemu_img);
}

}  // namespace
}  // namespace imgforge::machine
