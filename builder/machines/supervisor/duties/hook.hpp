// Somebody who is told what happens to a machine: a program, which gets an event as JSON in its only
// argument, or a URL, which gets it by POST (through curl(1)). One call at a time; a call that takes
// longer than ten seconds is ended, and events that have to wait too long are dropped, so a hook never holds
// up its machine.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "core/process.hpp"

namespace imgforge::machines {

class Hook {
 public:
  using Clock = std::chrono::steady_clock;
  /// `target` is an absolute path or begins with http:// or https://. Empty: nobody is told.
  explicit Hook(std::string target) : target_(std::move(target)) {}

  void call(std::string event);
  /// Ends a call that is done or takes too long, and begins the next.
  void work(Clock::time_point now);
  /// When `work` has to be called next.
  std::optional<Clock::time_point> deadline() const;
  /// Makes the calls that wait, for at most ten seconds: the machine ends.
  void finish();

 private:
  void begin(Clock::time_point now);

  std::string target_;
  std::deque<std::string> events_;
  std::optional<core::ChildProcess> running_;
  Clock::time_point until_;
};

/// Throws kUsage for what can be no hook, kMachine when curl is needed and not there.
void check_hook(const std::string& target);

}  // namespace imgforge::machines
