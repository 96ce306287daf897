// How far a machine has come since it was started: named states with times. Some follow each other (process,
// firmware, kernel, init), the others (agent, ssh, ready) come as they come.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "builder/vm/console/console.hpp"
#include "core/pattern.hpp"

namespace imgforge::machines {

struct Reached {
  std::string name;
  double seconds = 0;  ///< since the start
};

/// All names, in the order in which they are shown.
const std::vector<std::string>& state_names();
/// True when states reached include `wanted`, or a later one that cannot be without it: a quiet kernel never
/// shows its version.
bool includes(const std::vector<Reached>& reached, std::string_view wanted);

class Ladder {
 public:
  using Clock = std::chrono::steady_clock;
  /// `expect` are patterns that lines of the console have to meet in order; none: the log-in prompt.
  explicit Ladder(const std::vector<std::string>& expect);

  /// Begins again, with nothing reached.
  void restart(Clock::time_point now);
  /// Takes what the console says; returns what it shows for the first time.
  std::vector<Reached> take(std::string_view raw, Clock::time_point now);
  /// Something else that was seen; empty when it was before.
  std::vector<Reached> reach(std::string_view name, Clock::time_point now);
  const std::vector<Reached>& reached() const { return reached_; }
  /// The console's last lines, escaped.
  std::string tail(std::size_t lines) const { return console_.tail(lines); }

 private:
  void look_at(const std::string& line, Clock::time_point now, std::vector<Reached>& fresh);
  void add(std::string_view name, Clock::time_point now, std::vector<Reached>& fresh);

  std::vector<core::Pattern> patterns_;
  std::size_t met_ = 0;
  vm::ConsoleText console_;
  Clock::time_point start_;
  std::vector<Reached> reached_;
};

}  // namespace imgforge::machines
