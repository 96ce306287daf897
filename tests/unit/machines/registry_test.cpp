// Machines of a user, also damaged ones, and the lock that is their state.
#include "builder/machines/registry/registry.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "builder/machines/registry/machine_lock.hpp"
#include "builder/machines/registry/move_mark.hpp"
#include "builder/machines/registry/state.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using core::Kind;
using testing::good_settings;
using testing::kind_of;
namespace fs = std::filesystem;

class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() { registry_.make_root(); }

  Settings add(const std::string& name, bool disposable = false) {
    Settings settings = good_settings(name);
    settings.origin.kind = "file";
    settings.disposable = disposable;
    fs::create_directory(registry_.folder(name));
    registry_.save(settings);
    return settings;
  }
  fs::path folder(const std::string& name) const { return registry_.folder(name); }
  void write(const fs::path& path, const std::string& text) const { std::ofstream(path) << text; }

  core::TempDir home_{fs::temp_directory_path(), "registry"};
  Registry registry_{home_ / "machines"};
};

/// A process that runs a machine until it is killed.
class Runner {
 public:
  explicit Runner(const fs::path& folder) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      MachineLock lock(folder);
      lock.run();
      if (::write(ends[1], "x", 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    char byte = 0;
    EXPECT_EQ(::read(ends[0], &byte, 1), 1);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  ~Runner() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

TEST_F(RegistryTest, SaysHowAMachineIsAndWhyItCannotStart) {
  struct Row {
    const char* mark;  // the state of a move
    const char* stopped;
    const char* running;
    const char* obstacle;  // nullptr: none
  };
  add("a");
  for (const Row& row :
       {Row{"", "stopped", "running", nullptr}, Row{"leaving", "stopped", "running", nullptr},
        Row{"arriving", "arriving", "arriving", "which may still run it"},
        Row{"gone", "gone", "running", "moved to ssh://other"}}) {
    if (*row.mark != '\0') {
      MoveMark mark;
      mark.id = std::string(32, 'a');
      mark.state = row.mark;
      if (mark.state != "arriving") mark.destination = {"ssh://other", "b", "imgforge", "", {}};
      write_mark(folder("a"), mark);
    }
    const Entry entry = registry_.find("a");
    EXPECT_EQ(state_of(entry), row.stopped);
    EXPECT_EQ(state_of(entry, true), row.running);
    const auto obstacle = obstacle_of(entry);
    EXPECT_EQ(obstacle.has_value(), row.obstacle != nullptr) << row.mark;
    if (obstacle && row.obstacle != nullptr) {
      EXPECT_NE(obstacle->message().find(row.obstacle), std::string::npos) << obstacle->message();
      EXPECT_FALSE(obstacle->hint().empty());
    }
  }
  write(folder("a") / "move.json", "{");
  EXPECT_EQ(state_of(registry_.find("a")), "damaged");
  EXPECT_EQ(obstacle_of(registry_.find("a"))->kind(), Kind::kIntegrity);
  write(folder("a") / "machine.json", "{");
  EXPECT_EQ(state_of(registry_.find("a")), "damaged");
  EXPECT_EQ(state_of(registry_.find("a"), true), "running");
  EXPECT_TRUE(obstacle_of(registry_.find("a")));
}

TEST_F(RegistryTest, ListsMachinesAlsoDamagedOnes) {
  const Settings good = add("b");
  fs::create_directory(folder("a"));  // without settings
  add("c");
  write(folder("c") / "machine.json", "{");
  add("d");
  write(folder("d") / "machine.json", print_settings(good));  // of another one
  fs::create_directory(registry_.root() / ".imgforge-clone.1.x");
  write(registry_.root() / "file", "");
  const std::vector<Entry> entries = registry_.entries();
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_FALSE(entries[0].settings);
  EXPECT_EQ(entries[1].settings, good);
  EXPECT_FALSE(entries[2].settings);
  EXPECT_FALSE(entries[3].settings);
  EXPECT_FALSE(entries[3].problem.empty());
  EXPECT_EQ(kind_of([&] { registry_.load("c"); }), Kind::kIntegrity);
}

TEST_F(RegistryTest, NamesTheNearestMachine) {
  add("project");
  try {
    registry_.load("projekt");
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), Kind::kUsage);
    EXPECT_NE(error.hint().find("project"), std::string::npos);
  }
  EXPECT_EQ(kind_of([&] { registry_.load("../project"); }), Kind::kUsage);
}

TEST_F(RegistryTest, AnEmptyHomeHasNoMachines) {
  EXPECT_TRUE(Registry(home_ / "none").entries().empty());
}

TEST_F(RegistryTest, RemovesWhateverIsLeft) {
  add("whole");
  write(folder("whole") / "console.log", "x");
  fs::create_directory(folder("whole") / "ssh");
  add("damaged");
  write(folder("damaged") / "machine.json", "\0");
  write(folder("damaged") / "disk.qcow2", std::string("QFI\xfb", 4) + std::string(100, '\xff'));
  fs::create_directory(folder("empty"));
  for (const char* name : {"whole", "damaged", "empty"}) {
    registry_.remove(name, {});
    EXPECT_FALSE(fs::exists(folder(name))) << name;
  }
}

TEST_F(RegistryTest, AMachineRunsAsLongAsItsProcess) {
  add("a");
  EXPECT_FALSE(process_of(folder("a")));
  EXPECT_FALSE(is_running(folder("a")));
  {
    const Runner runner(folder("a"));
    EXPECT_EQ(process_of(folder("a")), runner.pid());
    EXPECT_EQ(kind_of([&] { registry_.remove("a", {}); }), Kind::kLocked);
    MachineLock second(folder("a"));
    EXPECT_EQ(kind_of([&] { second.run(); }), Kind::kLocked);
    EXPECT_TRUE(fs::exists(folder("a") / "machine.json"));
  }
  EXPECT_FALSE(is_running(folder("a")));
}

TEST_F(RegistryTest, KillsTheProcessWithoutAnySettings) {
  add("a");
  const Runner runner(folder("a"));
  write(folder("a") / "machine.json", "damaged");
  EXPECT_TRUE(kill_machine(folder("a"), {}));
  EXPECT_FALSE(is_running(folder("a")));
  EXPECT_FALSE(kill_machine(folder("a"), {}));
  registry_.remove("a", {});
  EXPECT_FALSE(fs::exists(folder("a")));
}

TEST_F(RegistryTest, OneCommandAtATimeWorksOnAMachine) {
  add("a");
  MachineLock first(folder("a"));
  first.command({}, {});
  EXPECT_EQ(kind_of([&] { MachineLock(folder("a")).command(std::chrono::milliseconds(20), {}); }),
            Kind::kLocked);
  EXPECT_EQ(kind_of([&] { registry_.remove("a", {}, std::chrono::milliseconds(0)); }), Kind::kLocked);
  EXPECT_TRUE(fs::exists(folder("a") / "machine.json"));
}

TEST_F(RegistryTest, ReclaimsDisposableMachinesThatEnded) {
  add("stays");
  add("gone", true);
  add("runs", true);
  add("starts", true);
  const Runner runner(folder("runs"));
  MachineLock starting(folder("starts"));
  starting.command({}, {});
  EXPECT_EQ(registry_.reclaim({}), 1U);
  EXPECT_FALSE(fs::exists(folder("gone")));
  for (const char* name : {"stays", "runs", "starts"}) EXPECT_TRUE(fs::exists(folder(name))) << name;
}

}  // namespace
}  // namespace imgforge::machines
