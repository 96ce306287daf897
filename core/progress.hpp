// What long work tells its watcher. One narrow interface: the terminal renders it, CI prints a line a
// step, tests record it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace imgforge::core {

class Progress {
 public:
  virtual ~Progress() = default;
  /// A step begins; `name` is stable ("base", "packages", "minimal/rootfs").
  virtual void begin(std::string_view name) = 0;
  /// The step moved: `detail` is short text for people.
  virtual void update(std::string_view name, std::string_view detail) = 0;
  /// The step ended well. `cached`: nothing had to be done.
  enum class Outcome { kDone, kCached };
  virtual void end(std::string_view name, std::string_view detail, Outcome outcome) = 0;
  /// A sentence the user should see but need not act on.
  virtual void note(std::string_view text) = 0;
  virtual void warn(std::string_view text) = 0;
};

/// Ignores everything.
Progress& no_progress();

}  // namespace imgforge::core
