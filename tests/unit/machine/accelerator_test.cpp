#include "builder/machine/accelerator.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::machine {
namespace {

/// Answers every command with a prepared result and counts the calls.
class RecordingProcesses : public core::ProcessRunner {
 public:
  core::ProcessResult run(const core::Command& command, const core::CancelToken&) override {
    ++calls;
    last = command;
    if (hangs) throw core::Error(core::Kind::kTimeout, "did not end");
    return result;
  }
  int calls = 0;
  bool hangs = false;
  core::Command last;
  core::ProcessResult result;
};

class AcceleratorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("IMGFORGE_ACCELERATOR");
    if (!std::filesystem::exists("/dev/kvm")) GTEST_SKIP() << "this machine has no /dev/kvm to probe";
  }
  core::TempDir folder_{std::filesystem::temp_directory_path(), "accelerator-test"};
  RecordingProcesses processes_;
  core::CancelToken cancel_;
};

TEST_F(AcceleratorTest, AGuestThatRunsMeansKvm) {
  processes_.result.exit_code = 0x63;
  EXPECT_EQ(find_accelerator(processes_, folder_.path(), cancel_).accelerator, Accelerator::kKvm);
  EXPECT_EQ(processes_.last.args.at(1), "kvm");
}

TEST_F(AcceleratorTest, AnAbortMeansEmulationAndQuotesQemu) {
  processes_.result = {134, "", "qemu: kvm_buf_set_msrs: Assertion failed.\n"};
  const AcceleratorVerdict verdict = find_accelerator(processes_, folder_.path(), cancel_);
  EXPECT_EQ(verdict.accelerator, Accelerator::kEmulation);
  EXPECT_NE(verdict.reason.find("kvm_buf_set_msrs"), std::string::npos);
}

TEST_F(AcceleratorTest, AHangMeansEmulation) {
  processes_.hangs = true;
  EXPECT_EQ(find_accelerator(processes_, folder_.path(), cancel_).accelerator, Accelerator::kEmulation);
}

TEST_F(AcceleratorTest, TheVerdictIsRememberedForThisBoot) {
  processes_.result.exit_code = 0x63;
  find_accelerator(processes_, folder_.path(), cancel_);
  find_accelerator(processes_, folder_.path(), cancel_);
  EXPECT_EQ(processes_.calls, 1);
  remember_kvm_failure(folder_.path(), "it hung later");
  EXPECT_EQ(find_accelerator(processes_, folder_.path(), cancel_).accelerator, Accelerator::kEmulation);
  EXPECT_EQ(processes_.calls, 1);
}

TEST_F(AcceleratorTest, TheEnvironmentDecidesWithoutAProbe) {
  ::setenv("IMGFORGE_ACCELERATOR", "tcg", 1);
  EXPECT_EQ(find_accelerator(processes_, folder_.path(), cancel_).accelerator, Accelerator::kEmulation);
  ::setenv("IMGFORGE_ACCELERATOR", "fast", 1);
  EXPECT_THROW(find_accelerator(processes_, folder_.path(), cancel_), core::Error);
  ::unsetenv("IMGFORGE_ACCELERATOR");
  EXPECT_EQ(processes_.calls, 0);
}

/// What the probe calls a success must be one: the same guest runs to its end where nothing is broken.
TEST(AcceleratorProbe, RunsToItsEndUnderEmulation) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "accelerator-test");
  std::string sector(510, '\0');
  ASSERT_LT(kvm_probe_code().size(), sector.size());
  sector.replace(0, kvm_probe_code().size(), kvm_probe_code());
  core::write_file_atomically(folder / "disk", sector + "\x55\xAA");
  core::Command command;
  command.program = "qemu-system-x86_64";
  command.args = {"-accel",      "tcg",
                  "-m",          "32",
                  "-display",    "none",
                  "-nodefaults", "-no-reboot",
                  "-device",     "isa-debug-exit,iobase=" + std::to_string(kProbePort) + ",iosize=1",
                  "-drive",      "file=" + (folder / "disk").native() + ",format=raw,if=ide,snapshot=on"};
  command.timeout = std::chrono::seconds(60);
  EXPECT_EQ(core::system_processes().run(command, core::CancelToken()).exit_code, 99);
}

TEST_F(AcceleratorTest, TheRealProbeEndsWithAVerdict) {
  const AcceleratorVerdict verdict = find_accelerator(core::system_processes(), folder_.path(), cancel_);
  EXPECT_FALSE(verdict.reason.empty());
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "tmp"));
}

}  // namespace
}  // namespace imgforge::machine
