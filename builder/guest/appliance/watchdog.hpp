// Nothing that talks to a sandbox may hang: QEMU stops for ever when the host's disk is full, a guest can
// loop, a process can be stopped. A watchdog thread looks at every library call that is under way and
// kills the appliance when the call's deadline passes, the user cancels or the host runs out of space; the
// library then returns with an error, and the verdict kept here says what it really was.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/bytes.hpp"
#include "core/error.hpp"

namespace imgforge::guest {

class Watchdog {
 public:
  /// Least free space of the scratch file system; below it QEMU is about to stop on ENOSPC.
  static constexpr core::Bytes kLeastFree = core::kib(512);

  /// Watches the free space of the file system that holds `scratch`. `kill` ends the appliance; it is called
  /// from the watchdog's thread, again and again until the call has returned.
  Watchdog(std::filesystem::path scratch, std::function<bool()> cancelled, std::function<void()> kill);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Replaces what ends the appliance (the launch has other processes than the running guest).
  void set_kill(std::function<void()> kill);
  /// The watch over one call: from construction to destruction.
  class Call {
   public:
    Call(Watchdog& dog, std::string name, std::chrono::milliseconds limit);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Watchdog& dog_;
  };
  /// Why the appliance was killed: kTimeout, kInterrupted or kNoSpace. Empty: it was not.
  std::optional<core::Error> verdict() const;

 private:
  void watch();
  std::optional<core::Error> judge() const;

  const std::filesystem::path scratch_;
  const std::function<bool()> cancelled_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::function<void()> kill_;
  std::string call_;  ///< empty: no call is under way
  std::chrono::milliseconds limit_{};
  std::chrono::steady_clock::time_point deadline_;
  std::optional<core::Error> verdict_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace imgforge::guest
