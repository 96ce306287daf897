// What the attacks share: a root file system of busybox and the attempts, and a sandbox that must leave
// nothing.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "builder/guest/namespaces/namespace_sandbox.hpp"
#include "builder/guest/namespaces/probe.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::guest {

/// For the names of tests.
inline void PrintTo(Ids ids, std::ostream* out) {
  *out << name_of(ids);
}

}  // namespace imgforge::guest

namespace imgforge::guest::test {

constexpr const char* kBusybox = "/bin/busybox";  // linked statically

inline std::filesystem::path temporary() {
  return std::filesystem::temp_directory_path();
}

/// The program of attempts.cpp, beside this one.
inline std::filesystem::path attempts() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / IMGFORGE_ATTEMPTS;
}

inline std::string content_of(const std::filesystem::path& file) {
  return core::read_text_file(file, 1 << 30);
}

/// A root file system of busybox and the attempts.
inline void make_base(const std::filesystem::path& file) {
  const core::Fd fd = core::open_file(file, O_WRONLY | O_CREAT);
  artifacts::TarWriter writer(fd.get(), file.native());
  const auto add = [&](const char* path, artifacts::EntryType type, unsigned mode, std::string_view content) {
    artifacts::TarEntry entry;
    entry.path = path;
    entry.type = type;
    entry.mode = mode;
    if (type == artifacts::EntryType::kSymlink) entry.link_target = content;
    writer.add(entry, type == artifacts::EntryType::kSymlink ? std::string_view() : content);
  };
  for (const char* folder : {"bin", "dev", "etc", "mnt", "proc", "tmp"}) {
    add(folder, artifacts::EntryType::kDirectory, 0755, {});
  }
  add("bin/busybox", artifacts::EntryType::kFile, 0755, content_of(kBusybox));
  add("bin/sh", artifacts::EntryType::kSymlink, 0777, "busybox");
  if (std::filesystem::exists(attempts())) {
    add("bin/attempts", artifacts::EntryType::kFile, 0755, content_of(attempts()));
  }
  writer.finish();
}

/// Processes that this one or `parent` has started and that are still there.
inline std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> all;
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", parent), gone)) {
    std::ifstream file(task.path() / "children");
    for (pid_t pid = 0; file >> pid;) all.push_back(pid);
  }
  return all;
}

inline core::Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {core::Kind::kInternal, ""};
}

/// In each way of having owners.
class Namespaces : public testing::TestWithParam<Ids> {
 protected:
  void SetUp() override {
    const NamespaceProbe probe = probe_namespaces(folder_.path(), GetParam());
    if (!probe.works)
      GTEST_SKIP() << "namespaces do not work here: " << probe.failure() << "; " << probe.mend;
    make_base(folder_ / "base.tar");
    std::filesystem::create_directory(work_);
  }
  void TearDown() override {
    sandbox_.reset();
    if (std::filesystem::exists(work_)) {
      EXPECT_TRUE(std::filesystem::is_empty(work_));
    }
    EXPECT_TRUE(children_of(::getpid()).empty());
  }

  NamespaceOptions options() const {
    NamespaceOptions options;
    options.work_dir = work_;
    options.ids = GetParam();
    return options;
  }

  NamespaceSandbox& start(core::Bytes disk = core::gib(1)) {
    NamespaceOptions wanted = options();
    wanted.abandoned = work_;
    wanted.disk = disk;
    sandbox_ = std::make_unique<NamespaceSandbox>(wanted);
    sandbox_->tar_in(folder_ / "base.tar", "/");
    sandbox_->query("busybox --install -s /bin");
    return *sandbox_;
  }

  core::TempDir folder_{temporary(), "imgforge-attack"};
  std::filesystem::path work_ = folder_ / "work";
  std::unique_ptr<NamespaceSandbox> sandbox_;
};

}  // namespace imgforge::guest::test
