// Programs that read what somebody else made: without a network, without writing, with limits of memory and
// time.
#pragma once

#include "core/process.hpp"

namespace imgforge::inspect {

/// Runs what `processes` would, held by setpriv, prlimit and unshare of util-linux: no new privileges, no
/// network, no file that grows, 2 GiB of address space, 10 minutes of processor time. Where the machine
/// allows no user namespaces the network stays; the limits always hold. `processes` has to outlive it.
class HeldPrograms : public core::ProcessRunner {
 public:
  explicit HeldPrograms(core::ProcessRunner& processes) : processes_(processes) {}
  core::ProcessResult run(const core::Command& command, const core::CancelToken& cancel) override;

 private:
  core::ProcessRunner& processes_;
};

}  // namespace imgforge::inspect
