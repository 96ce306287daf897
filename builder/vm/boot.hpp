// Boots an image headless in QEMU and reads its serial console: the evidence that a release boots. The image
// itself is not changed: what the guest writes goes to a temporary overlay.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "builder/vm/boot_spec.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"

namespace imgforge::vm {

/// When something was first seen, in seconds after QEMU's start.
struct BootMarker {
  std::string name;  ///< "firmware", "kernel", "init", "hand-over", "ready"
  double seconds = 0;
};

struct BootEvidence {
  std::string path_name;  ///< boot_path_name: "disk BIOS", "cd UEFI", ...
  std::string accelerator;
  core::Bytes memory;
  unsigned cpus = 1;
  std::vector<BootMarker> markers;
  std::vector<CommandResult> commands;
  /// The first lines in which the console tells that services failed or programs crashed.
  std::vector<std::string> complaints;
  std::string qemu_version;
  std::string command_line;
  std::filesystem::path log;
  std::filesystem::path screenshot;

  /// Seconds until `name`; negative when it was not seen.
  double seconds_to(std::string_view name) const;
};

/// Returns when all expectations are met and all commands have run. Throws kBoot, quoting the console's last
/// 40 lines, on a kernel panic, when the firmware finds nothing to boot or crashes, on silence, when QEMU
/// ends, at the deadline, and when a command fails; kUsage when a pattern is no regular expression or the
/// specification lacks what its path needs; kMachine when QEMU or the firmware is missing.
BootEvidence boot(const BootSpec& spec, const core::CancelToken& cancel);

}  // namespace imgforge::vm
