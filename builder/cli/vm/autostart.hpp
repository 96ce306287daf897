// Machines that start by themselves: all that have `autostart` in their settings, by one command that a
// service manager calls.
#pragma once

#include <string>
#include <vector>

#include "builder/cli/vm/start_machine.hpp"
#include "builder/cli/vm/stop.hpp"
#include "builder/cli/vm/vm.hpp"

namespace imgforge::cli {

/// Machines with `autostart` that can be started or stopped here, by name. What is damaged is warned of.
std::vector<machines::Entry> autostarting(const Context& context, const machines::Registry& registry);

/// Starts those that do not run, all at first, and then waits for each. One that fails does not keep others
/// from it; the error afterwards says which did. Returns the exit code.
int start_all(const Context& context, const machines::Registry& registry, const StartOptions& options);
/// Stops them likewise.
int stop_all(const Context& context, const machines::Registry& registry, const StopOptions& options);

}  // namespace imgforge::cli
