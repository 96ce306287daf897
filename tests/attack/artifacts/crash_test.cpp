// A publisher that is killed before each of its system calls: what can be seen is the old state or the new
// one, and running it again succeeds. The killing is done by strace's fault injection.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>

#include "core/process.hpp"
#include "core/text.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
using namespace testing_support;

/// This program started with IMGFORGE_TEST_PUBLISH=<folder> is the publisher: it adds to <folder>/out the
/// images that lie in <folder>, and ends before any test runs.
const bool kIsPublisher = [] {
  const char* folder = std::getenv("IMGFORGE_TEST_PUBLISH");
  if (folder == nullptr) return false;
  try {
    Store::create(fs::path(folder) / "out")
        .publish(request_for(folder, std::getenv("IMGFORGE_TEST_CONTENT")));
    ::_exit(0);
  } catch (const Error& error) {
    std::cerr << core::kind_name(error.kind()) << " " << error.message() << "\n";
    ::_exit(1);
  }
}();

/// Calls that change what is on disk; of openat only those that create.
constexpr const char* kCalls =
    "openat,mkdir,mkdirat,write,pwrite64,fsync,rename,renameat,renameat2,symlink,symlinkat,unlink,unlinkat,"
    "fchmod,"
    "ftruncate,rmdir";

class Crash : public StoreTest {
 protected:
  // In memory where possible: what a kill leaves does not depend on the disk, and fsync is slow.
  Crash() : StoreTest(fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) {}

  void SetUp() override {
    if (core::find_program("strace").empty()) GTEST_SKIP() << "strace is missing";
    publish("old");
    fs::rename(out_, folder_ / "old");
    fresh();
    strace({"-e", std::string("trace=") + kCalls, "-o", (folder_ / "trace").native()});
    const core::ProcessResult first = result_;
    if (first.exit_code != 0) GTEST_SKIP() << "strace does not work here: " << first.err;
    ASSERT_EQ(state(), "new");
  }

  void fresh() {
    fs::remove_all(out_);
    fs::copy(folder_ / "old", out_, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  }
  void strace(std::vector<std::string> args) {
    core::Command command;
    command.program = "strace";
    command.args = {"-f", "-qq"};
    command.args.insert(command.args.end(), args.begin(), args.end());
    command.args.push_back(fs::read_symlink("/proc/self/exe"));
    command.environment = {{"IMGFORGE_TEST_PUBLISH", folder_.path().native()},
                           {"IMGFORGE_TEST_CONTENT", "new"}};
    result_ = core::system_processes().run(command, {});
  }
  core::ProcessResult run_again() {
    core::Command command;
    command.program = fs::read_symlink("/proc/self/exe");
    command.environment = {{"IMGFORGE_TEST_PUBLISH", folder_.path().native()},
                           {"IMGFORGE_TEST_CONTENT", "new"}};
    return core::system_processes().run(command, {});
  }

  /// Every call of the publisher after it opened the store: name and how many of that name came before.
  std::vector<std::pair<std::string, int>> points() {
    std::ifstream trace(folder_ / "trace");
    const std::regex call("^(?:[0-9]+ +)?([a-z0-9]+)\\(");
    std::map<std::string, int> counts;
    std::vector<std::pair<std::string, int>> result;
    bool begun = false;
    for (std::string line; std::getline(trace, line);) {
      std::smatch match;
      if (!std::regex_search(line, match, call)) continue;
      const int count = ++counts[match[1]];
      begun = begun || line.find(".lock") != std::string::npos;
      const bool changes = match[1] != "openat" || line.find("O_CREAT") != std::string::npos;
      if (begun && changes) result.emplace_back(match[1], count);
    }
    return result;
  }

  /// "old", "new", or what is wrong; seen through `current` and through the flat names.
  std::string state() {
    const VerifyReport report = verify_release(out_ / "releases/hello-minimal/current", strict_options());
    if (!report.ok()) return "BROKEN";
    const std::string version = report.manifest->manifest().version;
    for (const char* name : {"images/hello-minimal.qcow2", "isos/hello-minimal.iso"}) {
      const VerifyReport flat = verify_file(out_ / name, strict_options());
      if (!flat.ok() || flat.manifest->manifest().version != version) return "MIXED";
    }
    for (const Version& present : Store::open(out_).versions("hello-minimal")) {
      if (!verify_release(release(present.to_string()), strict_options()).ok()) return "HALF RELEASE";
    }
    return version == "v20261120" ? "old" : "new";
  }

  core::ProcessResult result_;
};

TEST_F(Crash, KilledAnywhereTheStateIsOldOrNewAndTheNextRunSucceeds) {
  std::map<std::string, int> seen;
  const auto all = points();
  ASSERT_GT(all.size(), 60U);
  for (const auto& [call, count] : all) {
    SCOPED_TRACE(call + " " + std::to_string(count));
    fresh();
    strace({"-o", "/dev/null", "-e", "trace=" + call, "-e",
            "inject=" + call + ":signal=KILL:when=" + std::to_string(count)});
    const std::string after = state();
    EXPECT_TRUE(after == "old" || after == "new") << after;
    ++seen[after];
    const core::ProcessResult again = run_again();
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(state(), "new");
    EXPECT_TRUE(staging_is_empty());
    EXPECT_EQ(Store::open(out_).versions("hello-minimal").size(), 2U);
    for (const auto& entry : fs::recursive_directory_iterator(out_)) {
      const std::string name = entry.path().filename().native();
      EXPECT_TRUE(!name.starts_with(".") || name == ".lock" || name == ".staging" ||
                  name == ".imgforge-store")
          << name;
    }
  }
  EXPECT_GT(seen["old"], 30);
  EXPECT_GT(seen["new"], 0);
  RecordProperty("points", static_cast<int>(all.size()));
}

TEST_F(Crash, EveryFailingCallIsNoticedOrHarmless) {
  for (const auto& [call, count] : points()) {
    if (call != "fsync" && call != "renameat2" && call != "rename" && call != "write" && call != "fchmod")
      continue;
    SCOPED_TRACE(call + " " + std::to_string(count));
    fresh();
    strace({"-o", "/dev/null", "-e", "trace=" + call, "-e",
            "inject=" + call + ":error=EIO:when=" + std::to_string(count)});
    const std::string after = state();
    EXPECT_TRUE(after == "old" || after == "new") << after;
    EXPECT_NE(result_.exit_code, 0) << "a lost write went unnoticed";
    EXPECT_TRUE(staging_is_empty());
  }
}

}  // namespace
}  // namespace imgforge::artifacts
