// Whether QEMU can really use KVM here. /dev/kvm may exist and still abort or hang QEMU, so a tiny guest is
// run with a deadline; the verdict is remembered for as long as this boot of the machine and this QEMU last.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::machine {

enum class Accelerator { kKvm, kEmulation };

/// "kvm" or "tcg": QEMU's names, also used in manifests.
std::string_view accelerator_name(Accelerator accelerator);

struct AcceleratorVerdict {
  Accelerator accelerator = Accelerator::kEmulation;
  std::string
      reason;  ///< for people: "KVM works", "no /dev/kvm", "/dev/kvm is there, but QEMU fails with it: ..."
};

/// Probes (at most `deadline`) or recalls from `<cache_dir>/accelerator.json`. The environment variable
/// IMGFORGE_ACCELERATOR=kvm|tcg decides without probing.
AcceleratorVerdict find_accelerator(core::ProcessRunner& processes, const std::filesystem::path& cache_dir,
                                    const core::CancelToken& cancel,
                                    std::chrono::milliseconds deadline = std::chrono::seconds(3));
/// Code of the probe's guest, a boot sector without its signature: it enters protected mode, comes back to
/// its own code by an IRET there and then writes 0x31 to the isa-debug-exit device at kProbePort, so QEMU
/// exits with 99. Some hosts run the code of a BIOS by KVM and stop a guest at that very instruction ("KVM
/// internal error"), as boot loaders use it.
std::string_view kvm_probe_code();
inline constexpr int kProbePort = 0x501;

/// Records that KVM failed later in use, so that the next run does not try it again.
void remember_kvm_failure(const std::filesystem::path& cache_dir, std::string_view reason);

}  // namespace imgforge::machine
