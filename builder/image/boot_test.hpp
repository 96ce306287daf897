// Boots an image headless in QEMU and reads its serial console: the evidence that a release boots. The image
// itself is not changed: what the guest writes goes to a temporary overlay.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/machine/accelerator.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"

namespace imgforge::image {

enum class Firmware { kBios, kUefi };
enum class ImageFormat { kRaw, kQcow2 };

/// Something that the console must show. Expectations are met one after the other.
struct Expectation {
  std::string pattern;     ///< ECMAScript regular expression, searched in a line
  std::string reply = {};  ///< typed on the console once it is met
};

struct BootSpec {
  std::filesystem::path image;
  ImageFormat format = ImageFormat::kQcow2;
  Firmware firmware = Firmware::kBios;
  core::Bytes memory = core::mib(256);
  unsigned cpus = 1;
  machine::Accelerator accelerator = machine::Accelerator::kEmulation;
  std::vector<Expectation> expect;  ///< the last one means "ready"
  std::chrono::seconds deadline{180};
  std::chrono::seconds silence{60};  ///< without any output for so long, the guest counts as hung
  std::filesystem::path log;         ///< the raw console goes there
  std::filesystem::path work_dir;    ///< takes the private copy of UEFI's variables and the overlay
};

/// When something was first seen, in seconds after QEMU's start.
struct BootMarker {
  std::string name;  ///< "firmware", "kernel", "hand-over", "ready"
  double seconds = 0;
};

struct BootEvidence {
  std::string path_name;  ///< "disk BIOS" or "disk UEFI"
  std::string accelerator;
  core::Bytes memory;
  unsigned cpus = 1;
  std::vector<BootMarker> markers;
  std::string command_line;
  std::filesystem::path log;

  /// Seconds until `name`; negative when it was not seen.
  double seconds_to(std::string_view name) const;
};

/// Returns when all expectations are met. Throws kBoot, quoting the console's last 40 lines, on a kernel
/// panic, on silence, when QEMU ends, and at the deadline; kUsage when a pattern is no regular expression;
/// kMachine when QEMU or OVMF is missing.
BootEvidence boot(const BootSpec& spec, const core::CancelToken& cancel);

/// QEMU's arguments for `spec`. `variables` is the private copy of UEFI's variables (kUefi only).
std::vector<std::string> qemu_arguments(const BootSpec& spec, const std::filesystem::path& variables);

}  // namespace imgforge::image
