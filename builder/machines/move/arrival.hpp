// A machine whose state comes from another QEMU, on the side where it arrives.
#pragma once

#include <filesystem>
#include <string>

#include "builder/machines/control/control.hpp"
#include "builder/machines/move/monitor.hpp"
#include "builder/machines/registry/registry.hpp"

namespace imgforge::machines {

inline constexpr const char* kMemorySocket = "incoming.sock";
inline constexpr const char* kDiskSocket = "incoming-disk.sock";
inline constexpr const char* kDiskExport = "disk";

enum class ArrivingDisk { kComes, kIsThere };

/// Makes a machine that was started for a move ready for its memory, and for its disk over NBD.
void open_arrival(Control& control, const Devices& devices, ArrivingDisk disk,
                  const core::CancelToken& cancel);

/// Waits until it has its whole state and stands still. Throws kTimeout, kBoot when that did not come.
void wait_for_arrival(Control& control, const core::CancelToken& cancel);

/// The machine may run: its mark goes, durably, and if it waits with its state it goes on. Once more does
/// nothing. Throws kUsage when it arrives by another move.
void release_arrival(const std::filesystem::path& folder, const std::string& id,
                     const core::CancelToken& cancel);

/// Ends and removes what arrives by that move; nothing when there is none.
void discard_arrival(const Registry& registry, const std::string& name, const std::string& id,
                     const core::CancelToken& cancel);

}  // namespace imgforge::machines
