// Memory and processors that came to a running guest: some systems leave them off until somebody asks.
#pragma once

#include "builder/machines/agent/agent.hpp"

namespace imgforge::machines {

/// Switches on what the guest has and does not use; returns how many it uses then. Throws kBoot when
/// the guest does not take one.
unsigned use_all_hardware(Agent& agent);

}  // namespace imgforge::machines
