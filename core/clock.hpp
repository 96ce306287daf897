// Time as an effect: commands read it through Clock, tests put a fixed one in its place.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace imgforge::core {

using UnixTime = std::chrono::sys_seconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual UnixTime now() const = 0;
};

/// Real time.
Clock& system_clock();

class FixedClock : public Clock {
 public:
  explicit FixedClock(UnixTime time) : time_(time) {}
  UnixTime now() const override { return time_; }

 private:
  UnixTime time_;
};

/// A moment that only durations are made of.
using Instant = std::chrono::steady_clock::time_point;

/// Time that never goes back, for what takes how long.
class SteadyClock {
 public:
  virtual ~SteadyClock() = default;
  virtual Instant now() const = 0;
};

/// Real time since the machine started.
SteadyClock& steady_clock();

/// "20261120" (UTC).
std::string compact_date(UnixTime time);
/// "2026-11-20T01:02:03Z".
std::string iso_time(UnixTime time);
/// The time of SOURCE_DATE_EPOCH (reproducible-builds.org specification), or `clock`'s. Throws kUsage when
/// the variable is set but is not a whole number of seconds.
UnixTime build_time(const Clock& clock);
/// SOURCE_DATE_EPOCH in seconds, if set: it clamps file times and so is an input of what it shapes. Throws
/// likewise.
std::optional<std::int64_t> source_date_epoch();

}  // namespace imgforge::core
