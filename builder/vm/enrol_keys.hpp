// UEFI variables with Secure Boot keys enrolled, for boots that must show what firmware with those keys does.
// OVMF's own variables are written by OVMF itself: a small medium with systemd-boot enrols the keys in setup
// mode, as it would on a real machine.
#pragma once

#include <filesystem>

#include "builder/vm/boot_spec.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::vm {

/// Writes the new file `variables`: those of OVMF with PK, KEK and db of the folder `keys`. Of `machine` the
/// accelerator, the firmware's folder and the working folder are used. Throws kBoot when the firmware did not
/// take the keys, kMachine when something is not installed.
void enrol_keys(const std::filesystem::path& keys, const std::filesystem::path& variables,
                const BootSpec& machine, core::ProcessRunner& processes, const core::CancelToken& cancel);

}  // namespace imgforge::vm
