// One boot while it runs: follows the console of a started QEMU until the image is ready, runs the commands,
// takes the picture. Internal to boot.cpp.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "builder/vm/boot.hpp"
#include "builder/vm/console/console.hpp"
#include "builder/vm/qmp.hpp"
#include "core/cancel.hpp"
#include "core/fd.hpp"
#include "core/pattern.hpp"
#include "core/process.hpp"

namespace imgforge::vm {

class BootRun {
 public:
  /// All three must outlive it. `spec.expect` is not empty.
  BootRun(const BootSpec& spec, BootEvidence& evidence, core::ChildProcess& qemu,
          const core::CancelToken& cancel);

  /// Throws as boot() does.
  void run();

 private:
  using Clock = std::chrono::steady_clock;
  void reach_ready();
  void run_commands();
  void take_screenshot();

  std::vector<std::string> read_lines();
  void type(const std::string& text);
  void note_complaint(const std::string& line);
  void examine(const std::string& line);
  void check_dead_end(const std::vector<std::string>& lines) const;
  void check_end(const std::string& unfinished) const;
  void mark(const char* name);
  [[noreturn]] void fail(const std::string& why) const;

  const BootSpec& spec_;
  BootEvidence& evidence_;
  core::ChildProcess& qemu_;
  const core::CancelToken& cancel_;
  Clock::time_point start_;
  Clock::time_point last_output_;
  std::vector<core::Pattern> patterns_;
  std::size_t met_ = 0;
  std::string answered_;
  ConsoleText console_;
  std::optional<Qmp> monitor_;
  core::Fd log_;
};

}  // namespace imgforge::vm
