// What two hosts must have in common for a machine to move between them while it runs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::machines {

struct LiveFacts {
  std::string qemu;         ///< "7.2": the machine type of another one may differ
  std::string accelerator;  ///< "kvm", "tcg"
  std::string processor;    ///< of the host, with its features; empty where they are emulated
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("qemu", self.qemu);
    visit("accelerator", self.accelerator);
    visit("processor", self.processor);
  }
};

/// Of this host.
LiveFacts live_facts(core::ProcessRunner& processes, const std::filesystem::path& cache_dir,
                     const core::CancelToken& cancel);
/// In sentences; none when a machine can go from one to the other.
std::vector<std::string> differences(const LiveFacts& there, const LiveFacts& here);

}  // namespace imgforge::machines
