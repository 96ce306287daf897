// A sandbox without a virtual machine: its root file system is a folder of the host, into which `tar` unpacks
// and out of which it packs, and its programs are answers that a test gives. What was asked of it is
// recorded.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "builder/guest/sandbox.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::testing {

/// What the sandboxes of a test do and what they saw.
struct SandboxScript {
  /// What apk prints, for choosing and for installing.
  std::string apk_output = "OK\n";
  /// Answers a script in place of apk_output; empty: apk_output.
  std::function<guest::ScriptResult(std::string_view script)> on_run;
  /// May change the root before it is exported.
  std::function<void(const std::filesystem::path& root)> before_export;
  /// A root file system in memory is full when a script runs.
  bool outgrows_memory = false;

  std::mutex mutex = {};           ///< of the calls, which profiles make side by side
  std::vector<std::string> calls;  ///< "start", "tar_in /", "run", "tar_out", "finish"

  std::ptrdiff_t count(std::string_view call) const { return std::count(calls.begin(), calls.end(), call); }
};

class FakeSandbox : public guest::Sandbox {
 public:
  FakeSandbox(SandboxScript& script, core::CancelToken cancel, const guest::SandboxRequest& request)
      : script_(script),
        cancel_(std::move(cancel)),
        folder_(request.work_dir, "fake-sandbox"),
        outgrows_memory_(script.outgrows_memory && request.may_use_memory) {
    std::filesystem::create_directories(root());
    std::filesystem::create_directories(scratch_);
  }

  guest::SandboxKind kind() const override { return {"none", "", "a test's sandbox"}; }
  const core::CancelToken& cancel() const override { return cancel_; }
  const std::filesystem::path& scratch() const override { return scratch_; }

  void tar_in(const std::filesystem::path& archive, std::string_view into, std::string_view) override {
    note("tar_in " + std::string(into));
    tar({"-xf", archive.native(), "-C", root() + std::string(into)});
  }
  void tar_out(std::string_view from, int target, const std::vector<std::string>&) override {
    note("tar_out");
    if (script_.before_export) script_.before_export(root());
    const std::filesystem::path file = folder_ / "out.tar";
    tar({"-cf", file.native(), "--sort=name", "-C", root() + std::string(from), "."});
    const std::string bytes = core::read_text_file(file, std::uint64_t{1} << 30);
    core::write_all(target, bytes, "a pipe");
  }
  void cancel_transfer() noexcept override {}

  void write(std::string_view path, std::string_view content) override {
    const std::filesystem::path file = root() + std::string(path);
    std::filesystem::create_directories(file.parent_path());
    const core::Fd fd = core::open_file(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    core::write_all(fd.get(), content, file.native());
  }
  std::string read(std::string_view path) override {
    const std::filesystem::path file = root() + std::string(path);
    return std::filesystem::exists(file) ? core::read_text_file(file) : std::string();
  }
  void present(const std::filesystem::path&) override {}
  void remove_media() override {}
  guest::ScriptResult run(std::string_view script, guest::Seconds) override {
    note("run");
    cancel_.check();
    if (outgrows_memory_) throw core::Error(core::Kind::kImage, "the root file system is full");
    return script_.on_run ? script_.on_run(script) : guest::ScriptResult{0, script_.apk_output, false};
  }
  std::string query(std::string_view) override { return {}; }
  void remove_private_folder() override { std::filesystem::remove_all(root() + std::string(kPrivate)); }
  bool outgrew_memory() const override { return outgrows_memory_; }
  void finish() override { note("finish"); }

 private:
  std::string root() const { return folder_ / "root"; }
  void note(std::string call) {
    const std::lock_guard lock(script_.mutex);
    script_.calls.push_back(std::move(call));
  }
  static void tar(std::vector<std::string> args) {
    core::Command command;
    command.program = "tar";
    command.args = std::move(args);
    core::system_processes().check(command, {});
  }

  SandboxScript& script_;
  core::CancelToken cancel_;
  core::TempDir folder_;
  std::filesystem::path scratch_ = folder_ / "scratch";
  bool outgrows_memory_;
};

class PendingFake : public guest::PendingSandbox {
 public:
  PendingFake(SandboxScript& script, core::CancelToken cancel, guest::SandboxRequest request)
      : script_(script), cancel_(std::move(cancel)), request_(std::move(request)) {
    const std::lock_guard lock(script_.mutex);
    script_.calls.emplace_back("start");
  }
  std::unique_ptr<guest::Sandbox> get() override {
    return std::make_unique<FakeSandbox>(script_, cancel_, request_);
  }

 private:
  SandboxScript& script_;
  core::CancelToken cancel_;
  guest::SandboxRequest request_;
};

}  // namespace imgforge::testing
