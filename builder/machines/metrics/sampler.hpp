// Asks a running machine, over its control socket, what it uses. One sampler a machine, however many look at
// it. Asking and taking the answers are two steps, so that many machines answer at the same time.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "builder/machines/control/control.hpp"
#include "builder/machines/metrics/sample.hpp"
#include "core/cancel.hpp"
#include "core/json.hpp"

namespace imgforge::machines {

/// What one look at a running machine gave.
struct Look {
  core::Json status;  ///< of the machine's process (control.hpp)
  Use use;            ///< since the look before; the first one has no rates
};

class Sampler {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Sampler(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Asks. Nothing happens when the machine does not run.
  void ask();
  /// Takes the answers until `deadline`. Nothing when the machine does not run, or did not answer in time:
  /// such a one is left alone for a while. Throws kInterrupted alone.
  std::optional<Look> take(Clock::time_point deadline, const core::CancelToken& cancel);

 private:
  void ask_monitor(const core::Json& request);
  core::Json answer(Clock::time_point deadline, const core::CancelToken& cancel);
  std::optional<NetworkBytes> network(Clock::time_point deadline, const core::CancelToken& cancel);
  std::optional<Look> look(Clock::time_point deadline, const core::CancelToken& cancel);

  std::filesystem::path folder_;
  std::optional<Control> control_;
  bool asked_ = false;
  bool asked_agent_ = false;
  unsigned agent_pause_ = 0;  ///< looks without asking the agent, which did not answer
  Clock::time_point not_before_{};
  std::optional<Sample> before_;
};

}  // namespace imgforge::machines
