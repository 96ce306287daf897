// What clients of the control socket (control.hpp) ask of a machine's process.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "builder/machines/supervisor/running_qemu.hpp"
#include "builder/machines/supervisor/stopping.hpp"
#include "builder/machines/supervisor/talk/clients.hpp"
#include "builder/machines/supervisor/talk/console_log.hpp"

namespace imgforge::machines {

class Requests {
 public:
  struct Machine {
    Clients& clients;
    const ConsoleLog& log;
    Stopping& stopping;
    std::function<RunningQemu&()> qemu;  ///< the present one
    std::function<core::Json()> status;
  };
  explicit Requests(Machine machine) : machine_(std::move(machine)) {}

  /// Does what is asked, now or when QEMU or the agent has answered. Throws kUsage for what cannot be.
  void handle(Clients::Id id, const core::Json& request);

 private:
  void relay_to_agent(Clients::Id id, const core::Json& request);
  void relay(Clients::Id id, Dialogue& partner, const core::Json& question,
             std::chrono::milliseconds patience);

  Machine machine_;
};

}  // namespace imgforge::machines
