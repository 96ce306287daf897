// QEMU's command line for a machine that stays: what its settings say, and nothing that QEMU would add by
// itself. Names of sockets and of the disk count from the machine's folder, where QEMU is started.
#pragma once

#include <filesystem>
#include <string>

#include "builder/machine/accelerator.hpp"
#include "builder/machines/registry/settings.hpp"
#include "builder/vm/qemu_words.hpp"

namespace imgforge::machines {

inline constexpr const char* kConsoleSocket = "console.sock";
inline constexpr const char* kMonitorSocket = "qmp.sock";
inline constexpr const char* kAgentSocket = "agent.sock";
/// VNC (RFC 6143) without a password: the folder is its user's alone.
inline constexpr const char* kScreenSocket = "vnc.sock";
inline constexpr const char* kDiskFile = "disk.qcow2";
inline constexpr const char* kVariablesFile = "variables.qcow2";
// Of a machine whose firmware is "kernel".
inline constexpr const char* kKernelFile = "vmlinuz";
inline constexpr const char* kInitramfsFile = "initramfs.img";
/// QEMU's name of the agent's port, as its events have it.
inline constexpr const char* kAgentDevice = "agent-port";

/// Files of this host that the command line names.
struct HostFiles {
  std::filesystem::path folder;         ///< of the machine
  std::filesystem::path firmware_code;  ///< of UEFI
};

vm::Firmware firmware_of(const Settings& settings);

/// QEMU's arguments. QEMU waits at its start until somebody listens to the console.
vm::Words machine_words(const Settings& settings, machine::Accelerator accelerator, const HostFiles& files);

}  // namespace imgforge::machines
