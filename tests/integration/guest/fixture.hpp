// What the appliance tests share: folders that must be empty afterwards, a package mirror, a stopwatch.
#pragma once

#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "builder/guest/apk/apk.hpp"
#include "builder/guest/appliance/guest.hpp"
#include "builder/guest/namespaces/namespace_sandbox.hpp"
#include "builder/guest/namespaces/probe.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"
#include "support/source_dir.hpp"

namespace imgforge::guest::test {

/// A mirror of the test material, made for this process. Empty when the material is not there.
inline std::filesystem::path make_mirror(const std::filesystem::path& folder) {
  const std::filesystem::path script = alpine_material() / "make-mirror";
  if (!std::filesystem::exists(script)) return {};
  core::Command command;
  command.program = script;
  command.args = {(folder / "mirror").native()};
  core::system_processes().check(command, core::CancelToken());
  return folder / "mirror";
}

#define IMGFORGE_NEED_MIRROR(mirror) \
  if ((mirror).empty())              \
  GTEST_SKIP() << "the Alpine test material is missing: " << alpine_material() << " (IMGFORGE_TEST_ALPINE)"

inline LaunchOptions options_in(const core::TempDir& folder) {
  LaunchOptions options;
  options.work_dir = folder / "work";
  // Kept between tests: making the appliance takes seconds.
  options.cache_dir =
      std::filesystem::temp_directory_path() / fmt::format("imgforge-test-appliance-{}", ::geteuid());
  options.log_file = folder / "appliance.log";
  std::filesystem::create_directories(options.work_dir);
  return options;
}

inline std::unique_ptr<Sandbox> start_appliance(const core::TempDir& folder,
                                                core::Bytes disk = core::gib(8)) {
  LaunchOptions options = options_in(folder);
  options.disk = disk;
  return std::make_unique<Guest>(launch(options));
}

template <Ids ids = Ids::kAutomatic>
std::unique_ptr<Sandbox> start_namespaces(const core::TempDir& folder, core::Bytes disk = core::gib(8)) {
  NamespaceOptions options;
  options.work_dir = folder / "work";
  options.disk = disk;
  options.ids = ids;
  std::filesystem::create_directories(options.work_dir);
  return std::make_unique<NamespaceSandbox>(options);
}

/// Runs `body` in a process of a user without any right, who shall own `folder`. True when no test failed.
inline bool runs_as_ordinary_user(const std::filesystem::path& folder, const std::function<void()>& body) {
  if (::geteuid() != 0) {
    body();
    return !testing::Test::HasFailure();
  }
  constexpr unsigned kUser = 65534;
  std::filesystem::permissions(folder.parent_path(), std::filesystem::perms(0755));
  EXPECT_EQ(::chown(folder.c_str(), kUser, kUser), 0);
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    // Without execve the kernel would keep who was root apart from his own /proc.
    const bool is_user = ::setgroups(0, nullptr) == 0 && ::setresgid(kUser, kUser, kUser) == 0 &&
                         ::setresuid(kUser, kUser, kUser) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
    EXPECT_TRUE(is_user);
    try {
      if (is_user) body();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    std::fflush(stdout);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0;
}

#define IMGFORGE_NEED_NAMESPACES()                                                                         \
  if (const NamespaceProbe probe = probe_namespaces(std::filesystem::temp_directory_path()); !probe.works) \
  GTEST_SKIP() << "namespaces do not work here: " << probe.failure() << "; " << probe.mend

inline bool is_empty(const std::filesystem::path& folder) {
  return std::filesystem::is_empty(folder);
}

/// Processes that this one has started and that are still there.
inline std::string children() {
  std::string all;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (std::string pid; file >> pid;) {
      std::ifstream name("/proc/" + pid + "/comm");
      std::string comm;
      std::getline(name, comm);
      all += pid + "(" + comm + ") ";
    }
  }
  return all;
}

/// The process running the appliance.
inline pid_t qemu_child() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "children");
    for (pid_t pid = 0; file >> pid;) {
      std::ifstream name(fmt::format("/proc/{}/comm", pid));
      std::string comm;
      std::getline(name, comm);
      if (comm.starts_with("qemu")) return pid;
    }
  }
  return 0;
}

class Stopwatch {
 public:
  void lap(const char* what) {
    const auto now = std::chrono::steady_clock::now();
    fmt::print("  {:<22}{:6.2f} s\n", what, std::chrono::duration<double>(now - last_).count());
    last_ = std::chrono::steady_clock::now();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

struct Member {
  artifacts::TarEntry entry;
  std::string content;
};

inline std::map<std::string, Member> read_tar(const std::filesystem::path& file) {
  artifacts::TarPolicy policy;
  policy.devices = artifacts::Devices::kAllow;
  artifacts::TarReader reader(file, policy);
  std::map<std::string, Member> members;
  artifacts::TarEntry entry;
  while (reader.next(entry)) {
    Member& member = members[entry.path];
    member.entry = entry;
    if (entry.type == artifacts::EntryType::kFile) member.content = reader.read_text(64 << 20);
  }
  return members;
}

inline World world_of(const std::filesystem::path& mirror, const std::vector<std::string>& add) {
  World world;
  for (const char* name : {"main", "community"}) {
    world.repositories.push_back({mirror / "v3.19" / name / "x86_64" / "APKINDEX.tar.gz"});
    world.image_repositories.push_back(fmt::format("https://alpine.example/v3.19/{}", name));
  }
  world.keys = {mirror / "keys/imgforge-test.rsa.pub"};
  int line = 10;
  for (const std::string& name : add)
    world.add.push_back({name, {"recipe.yaml", line++, 5, 0, "  - " + name}});
  return world;
}

/// The files of a plan, as the fetcher would hand them over: under names of its own.
inline std::vector<PackageFile> files_of(const World& world, const std::vector<PlannedPackage>& plan) {
  std::vector<PackageFile> files;
  for (const PlannedPackage& package : plan) {
    for (std::size_t i = 0; i < world.repositories.size(); ++i) {
      const std::filesystem::path file =
          world.repositories[i].index.parent_path() / fmt::format("{}-{}.apk", package.name, package.version);
      if (std::filesystem::exists(file)) files.push_back({file, package.name, package.version, i});
    }
  }
  return files;
}

inline std::filesystem::path minirootfs(const std::filesystem::path& mirror) {
  return mirror / "v3.19/releases/x86_64/alpine-minirootfs-3.19.4-x86_64.tar.gz";
}

}  // namespace imgforge::guest::test
