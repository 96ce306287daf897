// A limit on what all transfers together may receive: a purse that fills with time and may be overdrawn by
// one piece. libcurl's own limit works for each transfer alone and lets a first burst pass.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace imgforge::fetch {

class RateLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Bytes per second; 0: no limit.
  explicit RateLimit(std::uint64_t rate) : rate_(static_cast<double>(rate)) {}

  /// True when so many bytes may be taken now.
  bool take(std::size_t bytes, Time now) {
    if (rate_ == 0) return true;
    if (!ready(now)) return false;
    purse_ -= static_cast<double>(bytes);
    return true;
  }
  bool ready(Time now) {
    if (rate_ == 0) return true;
    if (last_ != Time{}) purse_ += std::chrono::duration<double>(now - last_).count() * rate_;
    purse_ = std::min(purse_, rate_ / 20);  // silence is not saved up
    last_ = now;
    return purse_ >= 0;
  }

 private:
  double rate_;
  double purse_ = 0;
  Time last_ = {};
};

}  // namespace imgforge::fetch
