// The sandbox that builds use unless told otherwise: a libguestfs appliance with the best accelerator of this
// machine.
#pragma once

#include <memory>

#include "builder/guest/sandbox.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::steps {

/// Begins to start one and returns at once. Its log is <cache>/logs/<line>.log, of the last start. KVM that
/// is there and does not work is remembered and told.
std::unique_ptr<guest::PendingSandbox> start_appliance(stages::Toolbox& tools,
                                                       const guest::SandboxRequest& request);

}  // namespace imgforge::steps
