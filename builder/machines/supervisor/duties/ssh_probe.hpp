// Asks again and again whether a server of SSH answers at a port of this host, without ever waiting for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/fd.hpp"

namespace imgforge::machines {

class SshProbe {
 public:
  using Clock = std::chrono::steady_clock;
  explicit SshProbe(std::uint16_t port) : port_(port) {}

  /// Begins, reads, gives up and begins again, as the time says. True once the server greeted ("SSH-",
  /// RFC 4253, 4.2).
  bool work(Clock::time_point now);
  /// For poll(2); -1 between two tries.
  int fd() const { return socket_.get(); }
  /// When `work` has to be called even if nothing came.
  Clock::time_point next() const { return until_; }

 private:
  void begin(Clock::time_point now);

  std::uint16_t port_;
  core::Fd socket_;
  std::string greeting_;
  Clock::time_point until_{};  ///< the end of this try, or the beginning of the next one
};

}  // namespace imgforge::machines
