// The sandbox that is made of namespaces, as builds may use it in place of the appliance.
#pragma once

#include <memory>

#include "builder/guest/sandbox.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::steps {

/// Begins to start one and returns at once. Sandboxes that killed builds have left in the cache go.
std::unique_ptr<guest::PendingSandbox> start_namespaces(stages::Toolbox& tools,
                                                        const guest::SandboxRequest& request);

}  // namespace imgforge::steps
