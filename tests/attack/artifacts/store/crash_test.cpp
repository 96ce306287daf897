// A publisher that is killed before each of its system calls: what can be seen is the old state or the new
// one, and running it again succeeds. The killing is done by strace's fault injection.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>

#include "artifacts/store/journal.hpp"
#include "artifacts/store/pins.hpp"
#include "core/process.hpp"
#include "core/text.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
using namespace testing_support;

/// What the started program does to the store; the results' warnings go to standard error.
void act(const std::string& action, const fs::path& folder, const std::string& content) {
  std::vector<std::string> warnings;
  if (action == "publish") {
    warnings = Store::create(folder / "out").publish(request_for(folder, content)).warnings;
  } else if (action == "promote") {
    warnings = Store::open(folder / "out").promote("hello-minimal", {"20261120", 1}, trusting()).warnings;
  } else if (action == "pin") {
    warnings = Store::open(folder / "out").pin("hello-minimal", {"20261120", 0}, "why not");
  } else if (action == "unpin") {
    Store::open(folder / "out").unpin("hello-minimal", {"20261120", 0}, warnings);
  }
  for (const std::string& warning : warnings) std::cerr << warning << "\n";
}

/// This program started with IMGFORGE_TEST_ACT=<action> changes <folder>/out, and ends before any test runs.
const bool kIsActor = [] {
  const char* action = std::getenv("IMGFORGE_TEST_ACT");
  if (action == nullptr) return false;
  try {
    act(action, std::getenv("IMGFORGE_TEST_FOLDER"), std::getenv("IMGFORGE_TEST_CONTENT"));
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

  std::map<std::string, std::string> environment() const {
    return {{"IMGFORGE_TEST_ACT", action_},
            {"IMGFORGE_TEST_FOLDER", folder_.path().native()},
            {"IMGFORGE_TEST_CONTENT", "new"}};
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
    command.environment = environment();
    result_ = core::system_processes().run(command, {});
  }
  core::ProcessResult run_again() {
    core::Command command;
    command.program = fs::read_symlink("/proc/self/exe");
    command.environment = environment();
    return core::system_processes().run(command, {});
  }

  /// Every call of the publisher after it opened the store: name and how many of that name came before.
  std::vector<std::pair<std::string, int>> points() {
    std::ifstream trace(folder_ / "trace");
    std::map<std::string, int> counts;
    std::vector<std::pair<std::string, int>> result;
    bool begun = false;
    for (std::string line; std::getline(trace, line);) {
      // "1234  openat(AT_FDCWD, ...": process, call, arguments.
      const std::size_t begin = line.find_first_not_of("0123456789 ");
      const std::size_t end = line.find('(');
      if (begin >= end || end == std::string::npos) continue;
      const std::string call = line.substr(begin, end - begin);
      const int count = ++counts[call];
      begun = begun || line.find(".lock") != std::string::npos;
      const bool changes = call != "openat" || line.find("O_CREAT") != std::string::npos;
      if (begun && changes) result.emplace_back(call, count);
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
  std::string action_ = "publish";
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
    if (result_.exit_code == 0) {
      // Only the journal may fail without undoing the release, and not in silence.
      EXPECT_EQ(after, "new");
      EXPECT_NE(result_.err.find("not noted in the journal"), std::string::npos)
          << "a lost write went unnoticed";
    }
    EXPECT_TRUE(staging_is_empty());
  }
}

/// Changes of a store that already has both releases: `current` turned, a pin set and taken away.
class ChangeCrash : public Crash {
 protected:
  /// Two whole releases, the first one current; every change begins there.
  void prepare(const std::string& action, bool pinned) {
    action_ = action;
    fresh();
    publish("new");
    Store::open(out_).promote("hello-minimal", {"20261120", 0}, trusting());
    if (pinned) Store::open(out_).pin("hello-minimal", {"20261120", 0}, "why not");
    fs::remove_all(folder_ / "old");
    fs::rename(out_, folder_ / "old");
    fresh();
    strace({"-e", std::string("trace=") + kCalls, "-o", (folder_ / "trace").native()});
    ASSERT_EQ(result_.exit_code, 0) << result_.err;
  }
  bool is_pinned() const {
    const auto pins = read_pins(out_);
    return pins.contains("hello-minimal@v20261120") && pins.at("hello-minimal@v20261120").problem.empty();
  }
  /// Kills before every call, then runs again; `before` and `after` are what `seen` may say.
  void kill_everywhere(const std::function<std::string()>& seen, const std::string& before,
                       const std::string& after, std::size_t least) {
    const auto all = points();
    ASSERT_GE(all.size(), least);
    std::map<std::string, int> counts;
    for (const auto& [call, count] : all) {
      SCOPED_TRACE(action_ + ", " + call + " " + std::to_string(count));
      fresh();
      strace({"-o", "/dev/null", "-e", "trace=" + call, "-e",
              "inject=" + call + ":signal=KILL:when=" + std::to_string(count)});
      EXPECT_NE(result_.exit_code, 0);
      const std::string now = seen();
      EXPECT_TRUE(now == before || now == after) << now;
      ++counts[now];
      const core::ProcessResult again = run_again();
      EXPECT_EQ(again.exit_code, 0) << again.err;
      EXPECT_EQ(seen(), after);
      EXPECT_EQ(read_journal(out_).damaged, 0U);
    }
    EXPECT_GT(counts[before], 0);
    EXPECT_GT(counts[after], 0);
  }
  /// Lets each sync, rename and write fail once: the old state or the new one, and a failure is told.
  void fail_everywhere(const std::function<std::string()>& seen, const std::string& before,
                       const std::string& after) {
    for (const auto& [call, count] : points()) {
      if (call != "fsync" && call != "rename" && call != "write" && call != "unlink") continue;
      SCOPED_TRACE(action_ + ", " + call + " " + std::to_string(count));
      fresh();
      strace({"-o", "/dev/null", "-e", "trace=" + call, "-e",
              "inject=" + call + ":error=EIO:when=" + std::to_string(count)});
      const std::string now = seen();
      EXPECT_TRUE(now == before || now == after) << now;
      if (result_.exit_code == 0) {
        EXPECT_EQ(now, after);
        EXPECT_NE(result_.err.find("not noted in the journal"), std::string::npos);
      }
    }
  }
};

TEST_F(ChangeCrash, PromoteIsSeenWholeOrNotAtAll) {
  prepare("promote", false);
  kill_everywhere([&] { return state(); }, "old", "new", 5);
  fail_everywhere([&] { return state(); }, "old", "new");
}

TEST_F(ChangeCrash, APinIsThereOrNot) {
  prepare("pin", false);
  const auto seen = [&] { return std::string(is_pinned() ? "pinned" : "free"); };
  kill_everywhere(seen, "free", "pinned", 5);
  fail_everywhere(seen, "free", "pinned");
}

TEST_F(ChangeCrash, APinIsGoneOrNot) {
  prepare("unpin", true);
  const auto seen = [&] { return std::string(is_pinned() ? "pinned" : "free"); };
  kill_everywhere(seen, "pinned", "free", 4);
  fail_everywhere(seen, "pinned", "free");
}

}  // namespace
}  // namespace imgforge::artifacts
