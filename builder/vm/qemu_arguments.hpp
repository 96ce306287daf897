// QEMU's command line for a boot: one machine, whatever the path, with nothing but what the path needs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "builder/vm/boot_spec.hpp"

namespace imgforge::vm {

/// Names relative to the working folder, where QEMU is started.
inline constexpr const char* kMonitorSocket = "qmp.sock";

/// Files made for this boot.
struct PreparedFiles {
  std::filesystem::path variables;  ///< UEFI's, writable
  std::filesystem::path initramfs;  ///< all initrds joined
};

/// QEMU's arguments for `spec`. Nothing that they name is written to but the variables and the shared folder.
std::vector<std::string> qemu_arguments(const BootSpec& spec, const PreparedFiles& files);

/// Firmware code of the path in `spec.firmware_folder`; empty for BIOS, which QEMU brings.
std::filesystem::path firmware_code(const BootSpec& spec);
/// The variables that a boot starts with when none are given.
std::filesystem::path fresh_variables(const BootSpec& spec);

}  // namespace imgforge::vm
