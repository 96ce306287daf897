// More memory and processors for a machine that runs, within the bounds that it was started with. What is
// added is gone when it stops.
#pragma once

#include <string>

#include "builder/machines/control/control.hpp"
#include "builder/machines/registry/settings.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"

namespace imgforge::machines {

/// Gives it that much memory: by its balloon below what it has, else by a further DIMM, whose size is a
/// multiple of 128M. Throws kUsage beyond the bound and for what its kernel lacks, kBoot when QEMU refuses.
void set_memory(Control& control, const Settings& settings, core::Bytes memory,
                const core::CancelToken& cancel);

/// Gives it that many processors; they cannot be taken away. Throws likewise.
void set_processors(Control& control, const Settings& settings, unsigned count,
                    const core::CancelToken& cancel);

}  // namespace imgforge::machines
