// Stopping a machine.
#pragma once

#include <string>

#include "builder/cli/vm/vm.hpp"

namespace imgforge::cli {

struct StopOptions {
  bool kill = false;
  unsigned patience = 90;  ///< seconds
};
void declare_stop_options(OptionSet& set, StopOptions& options);

/// Asks a machine to shut down, when its process is there, and does not wait for it.
void ask_to_stop(const std::filesystem::path& folder, const core::CancelToken& cancel);

/// Asks the machine to shut down (by its agent, else its power button) and waits until it has; or ends it at
/// once, whatever is left of it. False when it did not run. Throws kTimeout when it does not shut down.
bool stop_machine(const Context& context, const machines::Registry& registry, const std::string& name,
                  const StopOptions& options);
/// Stops it likewise, and removes it with all that it wrote.
void stop_and_remove(const Context& context, const machines::Registry& registry, const std::string& name,
                     const StopOptions& options);

}  // namespace imgforge::cli
