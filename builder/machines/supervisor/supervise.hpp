// Runs a machine in this process until it ends: takes its lock, starts it, starts it again where its policy
// says so, and removes what is disposable.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "builder/machine/accelerator.hpp"
#include "builder/machines/registry/registry.hpp"
#include "builder/machines/supervisor/supervisor.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::machines {

struct Supervision {
  const Registry& registry;
  std::string name;
  machine::AcceleratorVerdict accelerator;
  core::ProcessRunner& processes;
  core::CancelToken cancel;
  std::function<void()> started;  ///< called once QEMU runs and the control socket is there
  /// Of the move by which the machine arrives (registry/move_mark.hpp): it waits for its state. Empty: none.
  std::string arriving = {};
  std::vector<std::string> reached = {};  ///< what the machine that arrives has reached where it comes from
  core::Command keys = {};                ///< as in Start
};

/// Throws kLocked when the machine runs already, kUsage, kIntegrity, kMachine or kBoot when it cannot be
/// started. Returns how it ended, which stands in `last.json` of its folder as well.
Ending supervise(const Supervision& supervision);

inline constexpr const char* kLastFile = "last.json";

}  // namespace imgforge::machines
