// Programs that read foreign images: what they cannot do.
#include "builder/inspect/held_programs.hpp"

#include <gtest/gtest.h>

#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::inspect {
namespace {

core::ProcessResult shell(const std::string& script) {
  core::Command command;
  command.program = "sh";
  command.args = {"-c", script};
  HeldPrograms held(core::system_processes());
  return held.run(command, {});
}

TEST(HeldPrograms, ReadAndAnswer) {
  EXPECT_EQ(shell("echo words; exit 3").out, "words\n");
  EXPECT_EQ(shell("exit 3").exit_code, 3);
}

TEST(HeldPrograms, WriteNoFile) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-held");
  const std::filesystem::path file = folder / "file";
  EXPECT_NE(shell("echo more >> " + file.native()).exit_code, 0);
  EXPECT_TRUE(!std::filesystem::exists(file) || std::filesystem::file_size(file) == 0);
}

TEST(HeldPrograms, SeeNoNetwork) {
  // Loopback alone, in two lines of head.
  EXPECT_EQ(shell("tail -n +3 /proc/net/dev | grep -cv '^ *lo:'").out, "0\n");
}

TEST(HeldPrograms, HaveNoMemoryWithoutEnd) {
  EXPECT_NE(shell("head -c 3G /dev/zero | tail -c 3G > /dev/null").exit_code, 0);
}

TEST(HeldPrograms, GainNothing) {
  EXPECT_NE(shell("grep NoNewPrivs /proc/self/status").out.find("1"), std::string::npos);
}

TEST(HeldPrograms, ThatAreNotThereAreNamed) {
  core::Command command;
  command.program = "no-such-program";
  HeldPrograms held(core::system_processes());
  try {
    held.run(command, {});
    ADD_FAILURE();
  } catch (const core::Error& error) {
    EXPECT_NE(error.message().find("no-such-program"), std::string::npos);
  }
}

}  // namespace
}  // namespace imgforge::inspect
