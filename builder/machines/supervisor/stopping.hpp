// How a running machine is brought to its end: its guest is asked, or QEMU ends at once.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "builder/machines/supervisor/running_qemu.hpp"

namespace imgforge::machines {

class Stopping {
 public:
  using Clock = std::chrono::steady_clock;
  /// What a disposable machine has written need not reach its disk.
  explicit Stopping(bool disposable) : disposable_(disposable) {}

  /// Somebody wants it to end.
  bool begun() const { return begun_; }
  /// Asks the guest to shut down: by its agent, else by the power button.
  void ask(RunningQemu& qemu);
  /// Ends QEMU, which writes first what it has in memory for the disk, if it still can.
  void end(RunningQemu& qemu);
  /// Kills a QEMU that does not end.
  void work(RunningQemu& qemu, Clock::time_point now);
  /// When `work` has to be called next.
  std::optional<Clock::time_point> deadline() const { return quit_until_; }

 private:
  bool disposable_;
  bool begun_ = false;
  std::optional<Clock::time_point> quit_until_;
};

/// How a QEMU ended by itself, in one line, with the last one that it printed. `code` is 128+n for signal n.
std::string ending_of(int code, const std::string& said);

}  // namespace imgforge::machines
