// The sandbox that the profiles of a build get.
#pragma once

#include <memory>

#include "builder/guest/sandbox.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::steps {

/// Sandboxes of namespaces for each step that may run: one works while another waits for its packages.
inline constexpr unsigned kNamespacesPerJob = 2;

/// Begins to start the one that HostFacts::isolation() names (or the toolbox makes) and returns at once. The
/// log of an appliance is <cache>/logs/<line>.log, of the last start. Sandboxes of namespaces that killed
/// builds have left in the cache go.
std::unique_ptr<guest::PendingSandbox> start_sandbox(stages::Toolbox& tools,
                                                     const guest::SandboxRequest& request);

/// A sandbox that starts fast, gives the same bytes, and is another one than builds have here.
enum class OtherSandbox {
  kNone,
  kNamespaces,  ///< instead of the appliance
  kOneId,       ///< namespaces with one id instead of a range
};
OtherSandbox other_sandbox(stages::Toolbox& tools);

}  // namespace imgforge::steps
