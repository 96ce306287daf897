// One QEMU of a machine, with all that leads into it: its serial console, its monitor, and the channel of the
// guest's agent. Nothing of it outlives it, so a machine that is to begin anew is given another.
#pragma once

#include <poll.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "builder/machines/control/channel.hpp"
#include "builder/machines/supervisor/supervisor.hpp"
#include "builder/machines/supervisor/talk/dialogue.hpp"
#include "core/process.hpp"

namespace imgforge::machines {

class RunningQemu {
 public:
  using Clock = std::chrono::steady_clock;
  /// Starts it. Throws kBoot, quoting QEMU, when it ends at once, kMachine when a port is taken.
  explicit RunningQemu(const Start& start);
  /// Waits until QEMU has made the machine, which is when its monitor takes commands. Throws kBoot, quoting
  /// QEMU, when it ends before.
  void wait_until_up(const Settings& settings);

  Dialogue& monitor() { return monitor_; }
  /// Nothing when the machine has none, says its manifest.
  Dialogue* agent() { return agent_ ? &*agent_ : nullptr; }
  const Dialogue* agent() const { return agent_ ? &*agent_ : nullptr; }
  Channel& console() { return console_; }
  int pid() const { return process_.pid(); }
  /// The last of what it printed.
  const std::string& said() const { return said_; }

  /// Adds what poll(2) has to wait for.
  void add_to(std::vector<pollfd>& polls) const;
  /// Reads and writes what can be; the console's bytes are left to who takes them.
  void work();
  /// Gives up what took too long.
  void pass_time(Clock::time_point now);
  /// When that has to be called next.
  std::optional<Clock::time_point> deadline() const;
  /// Its exit code once it has ended (128+n for signal n).
  std::optional<int> poll_exit();
  void kill() noexcept { process_.kill(); }

 private:
  void listen();

  std::vector<core::ChildProcess> daemons_;  ///< of folders that are shared by virtiofs
  core::ChildProcess process_;
  Channel console_;
  Dialogue monitor_;
  std::optional<Dialogue> agent_;
  std::string said_;
};

/// Whether a restart from inside is done by a new QEMU. An emulating one keeps what it translated of the
/// guest's code before, and each write to a page that holds some of that is slow: a kernel takes minutes to
/// unpack itself there.
bool begins_anew_after_reset(const Start& start);

}  // namespace imgforge::machines
