// The jobserver of a real make.
#include "builder/engine/job_server.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "core/atomic_file.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::engine {
namespace {

constexpr const char* kUnderMake = "IMGFORGE_TEST_UNDER_MAKE";

/// With -j4 there are three tokens beside the job that everybody has.
void expect_three_tokens() {
  const char* flags = std::getenv("MAKEFLAGS");
  ASSERT_NE(flags, nullptr);
  for (int round = 0; round < 2; ++round) {
    const auto server = JobServer::find(flags);
    ASSERT_TRUE(server) << flags;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(server->acquire());
    EXPECT_FALSE(server->acquire());
    server->release();
    EXPECT_TRUE(server->acquire()) << "the destructor gives all of them back";
  }
}

class JobServerTest : public ::testing::Test {
 protected:
  /// Runs the first test below again, as make's recipe; `how` is what the line begins with.
  core::ProcessResult make(const std::string& how) {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    core::write_file_atomically(folder_ / "Makefile", "all:\n\t" + how + kUnderMake + "=1 " + self +
                                                          " --gtest_filter=JobServerTest.OfMake*\n");
    core::Command command;
    command.program = "make";
    command.args = {"-C", folder_.path().native(), "-j4"};
    return core::system_processes().run(command, {});
  }
  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-job-server"};
};

TEST_F(JobServerTest, OfMakeGivesAndTakesItsTokens) {
  if (std::getenv(kUnderMake) != nullptr) return expect_three_tokens();
  const core::ProcessResult result = make("+");
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

TEST_F(JobServerTest, IsNoneForALineThatIsNoMakeOfItsOwn) {
  EXPECT_NE(make("").exit_code, 0);
}

TEST_F(JobServerTest, MayBeANamedPipe) {
  const std::filesystem::path path = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const core::Fd tokens(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::write(tokens.get(), "+", 1), 1);
  const auto server = JobServer::find(" -j2 --jobserver-auth=fifo:" + path.native() + " -k");
  ASSERT_TRUE(server);
  EXPECT_TRUE(server->acquire());
  EXPECT_FALSE(server->acquire());
}

TEST_F(JobServerTest, IsNotFoundWhereNoneIs) {
  for (const std::string flags :
       {"", "-j4", "--jobserver-auth=", "--jobserver-auth=97,98", "--jobserver-auth=x,y",
        "--jobserver-auth=-2,-2", "--jobserver-auth=fifo:/nowhere"})
    EXPECT_EQ(JobServer::find(flags), nullptr) << flags;
  // A number that is open here, but is no pipe.
  EXPECT_EQ(JobServer::find(
                "--jobserver-auth=" + std::to_string(core::open_file("/dev/null", O_RDONLY).get()) + ",0"),
            nullptr);
}

}  // namespace
}  // namespace imgforge::engine
