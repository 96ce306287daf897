// The one process of a running machine. It starts QEMU, which dies with it, holds QEMU's monitor, the serial
// console and the channel of the guest's agent, and serves the control socket. It has one thread and waits
// for nothing but the next thing to happen.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "builder/machine/accelerator.hpp"
#include "builder/machines/registry/settings.hpp"
#include "core/process.hpp"

namespace imgforge::machines {

/// What a machine is started with.
struct Start {
  Settings settings;
  std::filesystem::path folder;
  machine::AcceleratorVerdict accelerator;
  std::filesystem::path qemu;           ///< program
  std::filesystem::path firmware_code;  ///< of UEFI; empty for BIOS
  /// Of one whose state comes from another QEMU: further arguments of the first QEMU, and what it has
  /// reached.
  std::vector<std::string> more = {};
  std::vector<std::string> reached = {};
  core::Command keys = {};  ///< that hands over what SSH needs (key_handover.hpp); without a program: nothing
};

/// How a machine ended.
struct Ending {
  std::string how;      ///< for people: "the guest shut down"
  bool failed = false;  ///< nobody asked for it
};

class Supervisor {
 public:
  /// Starts QEMU, which has made the machine on return. Throws kBoot, quoting QEMU, when it does not come so
  /// far, kMachine when a port is taken.
  explicit Supervisor(const Start& start);
  ~Supervisor();
  /// Serves until the machine ends.
  Ending run();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace imgforge::machines
