// The variables of a machine's UEFI firmware, which hold the keys of Secure Boot too.
#pragma once

#include <filesystem>

#include "builder/machines/registry/settings.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::machines {

inline constexpr const char* kFirmwareFolder = "/usr/share/OVMF";  ///< of Debian's package ovmf

/// Makes kVariablesFile in the machine's folder where it has UEFI and they are not there yet: qcow2, so that
/// snapshots take them too. Throws kMachine without ovmf, and when those with the keys of Secure Boot are
/// gone.
void make_variables(const Settings& settings, const std::filesystem::path& folder,
                    core::ProcessRunner& processes, const core::CancelToken& cancel);

/// A raw copy of them beside them, anew each time, for programs that read no qcow2 there (libvirt
/// before 9.2). Empty for a machine without UEFI. Throws likewise.
std::filesystem::path raw_variables(const Settings& settings, const std::filesystem::path& folder,
                                    core::ProcessRunner& processes, const core::CancelToken& cancel);

}  // namespace imgforge::machines
