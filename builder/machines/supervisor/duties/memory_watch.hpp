// Asks a running machine every few seconds how much of its memory is free, and follows its policy.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "builder/machines/supervisor/duties/autoscale.hpp"
#include "builder/machines/supervisor/talk/dialogue.hpp"

namespace imgforge::machines {

class MemoryWatch {
 public:
  using Clock = std::chrono::steady_clock;
  /// Nothing is asked where the settings have no policy.
  explicit MemoryWatch(const Settings& settings);

  /// Called when the machine was given another amount of memory.
  std::function<void(const MemoryChange&)> on_change;

  /// A QEMU began, with all of its memory.
  void restart();
  /// When `work` has to be called next.
  std::optional<Clock::time_point> deadline() const { return next_; }
  /// Asks what is due. The monitor outlives its answers.
  void work(Dialogue& monitor, Clock::time_point now);

 private:
  void take(Dialogue& monitor, std::uint64_t available);
  void give(Dialogue& monitor, const MemoryChange& change);

  Autoscale policy_;
  std::uint64_t begin_;  ///< bytes that it gets first
  Autoscaler scaler_;
  bool begun_ = false;    ///< it has what it gets first
  bool polling_ = false;  ///< the guest's driver was told to tell
  std::optional<Clock::time_point> next_;
};

}  // namespace imgforge::machines
