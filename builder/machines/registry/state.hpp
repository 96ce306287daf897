// What is said of a machine that is looked at from outside.
#pragma once

#include <optional>
#include <string>

#include "builder/machines/registry/registry.hpp"
#include "core/error.hpp"

namespace imgforge::machines {

/// "running", "stopped", "damaged"; "arriving" or "gone" for one that moves or moved (move_mark.hpp). `runs`:
/// whether its process or its QEMU does.
std::string state_of(const Entry& entry, bool runs);
/// Likewise, after a look whether it runs.
std::string state_of(const Entry& entry);

/// Why it cannot be started here, with what to do where that is known: it is damaged, arrives or is gone.
/// Nothing when it can.
std::optional<core::Error> obstacle_of(const Entry& entry);

}  // namespace imgforge::machines
