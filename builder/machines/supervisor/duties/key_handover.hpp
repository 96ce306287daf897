// Hands a machine the key of its user for SSH, and reads its host keys, as soon as its agent and its server
// of SSH are there: a program does so (`imgforge vm keys`), as this process must not wait for the agent.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/process.hpp"

namespace imgforge::machines {

class KeyHandover {
 public:
  using Clock = std::chrono::steady_clock;
  /// The command prints an object with the member "user". One without a program: nothing is handed over.
  explicit KeyHandover(core::Command command);

  /// The machine begins anew, and may have forgotten the key.
  void restart();
  /// Begins once the machine is `ready` for it, and looks whether it is done; tries again after a failure, a
  /// few times. True when it just succeeded.
  bool work(bool ready, Clock::time_point now);
  /// When `work` has to be called next.
  std::optional<Clock::time_point> deadline() const;
  /// Who logs in with the key; empty as long as it is not there.
  const std::string& user() const { return user_; }

 private:
  core::Command command_;
  std::optional<core::ChildProcess> running_;
  std::string said_;
  std::string user_;
  unsigned tries_ = 0;
  Clock::time_point until_;  ///< while it runs
  std::optional<Clock::time_point> again_;
};

}  // namespace imgforge::machines
