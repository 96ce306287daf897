// archive, restore, prune, clone, remove, backup, repair and clean, killed before each of their changing
// calls and with each of these calls failing: the old state or the new one, never a mix, and running again
// succeeds. strace does both.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>

#include "artifacts/fsck/fsck.hpp"
#include "artifacts/fsck/leftovers.hpp"
#include "artifacts/fsck/repair.hpp"
#include "artifacts/retention/archive.hpp"
#include "artifacts/retention/backup.hpp"
#include "artifacts/retention/prune.hpp"
#include "artifacts/store/clones.hpp"
#include "artifacts/store/journal.hpp"
#include "core/process.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using namespace testing_support;

RetentionPolicy keep_one() {
  RetentionPolicy policy;
  policy.last = 1;
  return policy;
}

/// The file of the older release that `damage` takes away, keeping its bytes as a blob.
fs::path lost_file(const fs::path& folder) {
  return folder / "out/releases/hello-minimal/v20261119/hello-minimal-v20261119.qcow2";
}

/// What a killed publish and a killed promote leave: a staging folder with files, and two unfinished names.
/// No process has that number (the kernel's largest is 4194304).
void litter(const fs::path& root) {
  const fs::path staging = root / ".staging/publish.999999999.0123456789ab";
  fs::create_directories(staging / "parts");
  write(staging / "manifest.json", "{");
  write(staging / "parts/disk.qcow2", "half");
  write(root / "releases/hello-minimal/.current.999999999.01234567", "");
  fs::create_symlink("nowhere", root / "images/.hello-minimal.qcow2.999999999.89abcdef");
}

bool has_litter(const Store& store) {
  CleanOptions options;
  options.dry_run = true;
  return !clean(store, options).removed.empty();
}

/// What the started program does; warnings go to standard error.
void act(const std::string& action, const fs::path& folder) {
  const Store store = Store::open(folder / "out");
  std::vector<std::string> warnings;
  if (action == "archive") {
    ArchiveOptions options;
    options.policy = keep_one();
    const ArchiveResult result = archive(store, options);
    for (const ArchivedRelease& row : result.releases)
      if (!row.problem.empty()) throw Error(core::Kind::kIntegrity, row.problem);
    warnings = result.warnings;
  } else if (action == "restore") {
    RestoreOptions options;
    options.signature = toy_check;
    warnings = restore(store, "hello-minimal@v20261119", options).warnings;
  } else if (action == "prune") {
    PruneOptions options;
    options.policy = keep_one();
    options.apply = true;
    warnings = prune(store, options).warnings;
  } else if (action == "clone") {
    CloneRequest request;
    request.line = "hello-minimal";
    request.version = "v20261120";
    request.name = "trial";
    request.make_overlay = [](const fs::path& target, const std::string& backing, const std::string& format) {
      write(target, "overlay of " + backing + " " + format);
    };
    request.change.signature = toy_check;
    warnings = make_clone(store, request).warnings;
  } else if (action == "backup") {
    const BackupResult result = backup(store, folder / "backup", {});
    for (const BackedUpRelease& row : result.releases)
      if (!row.problem.empty()) throw Error(core::Kind::kIo, row.problem);
    warnings = result.warnings;
  } else if (action == "damage") {
    BlobStore(folder / "blobs").put(core::read_text_file(lost_file(folder)));
    fs::remove(lost_file(folder));
  } else if (action == "repair") {
    BlobStore blobs(folder / "blobs");
    RepairOptions options;
    options.check.signature = toy_check;
    options.blobs = &blobs;
    options.apply = true;
    const RepairResult result = repair(store, options);
    for (const RepairStep& step : result.steps)
      if (!step.done) throw Error(core::Kind::kStore, step.what);
    warnings = result.warnings;
  } else if (action == "litter") {
    litter(store.root());
  } else if (action == "clean") {
    warnings = clean(store, {}).warnings;
    if (has_litter(store))
      throw Error(core::Kind::kIo, warnings.empty() ? "something is left" : warnings.front());
  } else if (action == "unclone" && read_clone(store.root(), "trial")) {
    warnings = remove_clone(store, "trial");
  }
  for (const std::string& warning : warnings) std::cerr << warning << "\n";
}

/// This program started with IMGFORGE_TEST_CHANGE=<action> changes <folder>/out, and ends before any test
/// runs.
const bool kIsActor = [] {
  const char* action = std::getenv("IMGFORGE_TEST_CHANGE");
  if (action == nullptr) return false;
  try {
    act(action, std::getenv("IMGFORGE_TEST_FOLDER"));
    ::_exit(0);
  } catch (const Error& error) {
    std::cerr << core::kind_name(error.kind()) << " " << error.message() << "\n";
    ::_exit(1);
  }
}();

/// Calls that change what is on disk; of openat only those that create.
constexpr const char* kCalls =
    "openat,mkdir,write,pwrite64,fsync,rename,renameat2,symlink,unlink,unlinkat,fchmod,ftruncate,rmdir";

class RetentionCrash : public StoreTest {
 protected:
  RetentionCrash()
      : StoreTest(fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) {}

  /// Two releases, v20261119 and the current v20261120; `before` is what has happened already.
  void prepare(const std::string& action, const std::string& before = "") {
    if (core::find_program("strace").empty()) GTEST_SKIP() << "strace is missing";
    action_ = action;
    publish("old", "20261119");
    publish("new", "20261120");
    if (!before.empty()) act(before, folder_.path());
    fs::rename(out_, folder_ / "old");
    fresh();
    strace({"-e", std::string("trace=") + kCalls, "-o", (folder_ / "trace").native()});
    ASSERT_EQ(result_.exit_code, 0) << result_.err;
    read_points();
  }
  void fresh() {
    fs::remove_all(out_);
    fs::remove_all(folder_ / "backup");
    fs::copy(folder_ / "old", out_, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  }
  void run(core::Command command) {
    command.environment = {{"IMGFORGE_TEST_CHANGE", action_},
                           {"IMGFORGE_TEST_FOLDER", folder_.path().native()}};
    result_ = core::system_processes().run(command, {});
  }
  void strace(std::vector<std::string> args) {
    core::Command command;
    command.program = "strace";
    command.args = {"-f", "-qq"};
    command.args.insert(command.args.end(), args.begin(), args.end());
    command.args.push_back(fs::read_symlink("/proc/self/exe"));
    run(command);
  }
  void inject(const std::string& call, int count, const std::string& fault) {
    fresh();
    strace({"-o", "/dev/null", "-e", "trace=" + call, "-e",
            "inject=" + call + ":" + fault + ":when=" + std::to_string(count)});
  }
  void run_again() {
    core::Command command;
    command.program = fs::read_symlink("/proc/self/exe");
    run(command);
  }

  /// Changing calls of the main thread after the lock was taken; helpers only read. strace counts by thread.
  void read_points() {
    std::ifstream trace(folder_ / "trace");
    std::map<std::string, int> counts;
    std::string main_thread;
    bool begun = false;
    for (std::string line; std::getline(trace, line);) {
      const std::string thread = line.substr(0, line.find(' '));
      if (main_thread.empty()) main_thread = thread;
      const std::size_t begin = line.find_first_not_of("0123456789 ");
      const std::size_t end = line.find('(');
      if (thread != main_thread || begin >= end || end == std::string::npos) continue;
      const std::string call = line.substr(begin, end - begin);
      const int count = ++counts[call];
      begun = begun || line.find(".lock") != std::string::npos;
      const bool changes = call != "openat" || line.find("O_CREAT") != std::string::npos;
      if (begun && changes) points_.emplace_back(call, count);
    }
  }

  /// What must hold at every moment: current verifies through all names, and every release that is there, in
  /// place or archived, is whole. `finished` also allows no link that leads nowhere and nothing unfinished.
  void expect_consistent(bool finished) {
    FsckOptions options;
    options.signature = toy_check;
    options.threads = 1;
    for (const Finding& finding : check_store(Store::open(out_), options).findings) {
      if (!finished && action_ == "repair" && finding.path == lost_file(folder_.path())) continue;
      const bool between = finding.damage == Damage::kInterrupted || finding.damage == Damage::kFlatLink ||
                           finding.damage == Damage::kClone;
      // Only flat names of the release that moves may be missing or lead nowhere, and only until the next
      // run.
      const bool of_current = finding.path.native().find("v20261119") == std::string::npos;
      const bool flat = finding.damage == Damage::kFlatLink;
      EXPECT_TRUE(between && !finished && !(flat && of_current)) << finding.path << ": " << finding.detail;
    }
    EXPECT_EQ(fs::read_symlink(release("current")), "v20261120");
  }

  std::string place() {
    const Inventory inventory = read_inventory(Store::open(out_));
    const InventoryRelease* found = inventory.find("hello-minimal")->find("v20261119");
    if (found == nullptr) return "gone";
    return found->state == ReleaseState::kArchived ? "archived" : "in place";
  }
  std::string clone_state() {
    std::error_code error;
    const bool folder = fs::exists(out_ / "clones/trial/disk.qcow2", error);
    const bool record = read_clone(out_, "trial").has_value();
    // The release must never be without protection while the disk is there.
    return folder ? (record ? "clone" : "UNPROTECTED") : "none";
  }

  /// Which of both releases stand whole in the backup; one that stands there damaged is neither old nor new.
  std::string backup_state() {
    if (!fs::exists(folder_ / "backup/releases/hello-minimal")) return "incomplete";
    std::size_t there = 0;
    const Inventory inventory = read_inventory(Store::open(folder_ / "backup"));
    for (const InventoryRelease* release : inventory.releases()) {
      if (!verify_release(release->directory, strict_options()).ok()) return "DAMAGED";
      ++there;
    }
    std::error_code error;
    const bool current = fs::exists(folder_ / "backup/releases/hello-minimal/current", error);
    return there == 2 && current ? "complete" : "incomplete";
  }
  std::string litter_state() { return has_litter(Store::open(out_)) ? "littered" : "clean"; }
  std::string lost_state() { return fs::exists(lost_file(folder_.path())) ? "mended" : "damaged"; }

  void fault_everywhere(const std::function<std::string()>& seen, const std::string& before,
                        const std::string& after, std::size_t least) {
    ASSERT_GE(points_.size(), least);
    std::map<std::string, int> kills;
    int errors = 0;
    int noticed = 0;
    for (const auto& [call, count] : points_) {
      SCOPED_TRACE(action_ + ": killed before " + call + " " + std::to_string(count));
      inject(call, count, "signal=KILL");
      const std::string now = seen();
      EXPECT_TRUE(now == before || now == after) << now;
      ++kills[now];
      expect_consistent(false);
      expect_repeatable(seen, after);
    }
    for (const auto& [call, count] : points_) {
      for (const char* error : {"EIO", "ENOSPC", "EACCES"}) {
        const bool space = std::string_view(error) == "ENOSPC";
        const bool denied = std::string_view(error) == "EACCES";
        if (denied ? call == "write" || call == "fsync" : space && (call == "unlink" || call == "rmdir"))
          continue;
        SCOPED_TRACE(action_ + ": " + call + " " + std::to_string(count) + " fails with " + error);
        inject(call, count, std::string("error=") + error);
        ++errors;
        noticed += result_.exit_code != 0 || !result_.err.empty();
        const std::string now = seen();
        EXPECT_TRUE(now == before || now == after) << now;
        if (result_.exit_code == 0) {
          EXPECT_EQ(now, after);
        }
        expect_consistent(false);
        if (!denied) continue;  // once a point is enough
        expect_repeatable(seen, after);
      }
    }
    EXPECT_GT(kills[before], 0);
    EXPECT_GT(kills[after], 0);
    EXPECT_GT(noticed, errors / 3);
    std::cout << action_ << ": " << points_.size() << " kills (" << kills[before] << " old, " << kills[after]
              << " new), " << errors << " failing calls (" << noticed << " told of)\n";
  }
  void expect_repeatable(const std::function<std::string()>& seen, const std::string& after) {
    run_again();
    EXPECT_EQ(result_.exit_code, 0) << result_.err;
    EXPECT_EQ(seen(), after);
    expect_consistent(true);
    EXPECT_EQ(read_journal(out_).damaged, 0U);
  }

  std::string action_;
  core::ProcessResult result_;
  std::vector<std::pair<std::string, int>> points_;
};

TEST_F(RetentionCrash, Archive) {
  prepare("archive");
  fault_everywhere([&] { return place(); }, "in place", "archived", 30);
}

TEST_F(RetentionCrash, Restore) {
  prepare("restore", "archive");
  fault_everywhere([&] { return place(); }, "archived", "in place", 30);
}

TEST_F(RetentionCrash, Prune) {
  prepare("prune");
  fault_everywhere([&] { return place(); }, "in place", "gone", 8);
}

TEST_F(RetentionCrash, Clone) {
  prepare("clone");
  fault_everywhere([&] { return clone_state(); }, "none", "clone", 10);
}

TEST_F(RetentionCrash, RemoveClone) {
  prepare("unclone", "clone");
  fault_everywhere([&] { return clone_state(); }, "clone", "none", 4);
}

TEST_F(RetentionCrash, Backup) {
  prepare("backup");
  fault_everywhere([&] { return backup_state(); }, "incomplete", "complete", 20);
}

TEST_F(RetentionCrash, Repair) {
  prepare("repair", "damage");
  fault_everywhere([&] { return lost_state(); }, "damaged", "mended", 4);
}

TEST_F(RetentionCrash, Clean) {
  prepare("clean", "litter");
  fault_everywhere([&] { return litter_state(); }, "littered", "clean", 8);
}

}  // namespace
}  // namespace imgforge::artifacts
