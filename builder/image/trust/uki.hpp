// A unified kernel image: kernel, initramfs and command line in one EFI program, so that one signature covers
// them all. Made of systemd's stub and further sections (UAPI Group specification, Unified Kernel Image).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

struct UkiParts {
  std::string os_release;            ///< text of os-release; systemd-boot shows its PRETTY_NAME
  std::vector<std::string> cmdline;  ///< words of the kernel command line
  std::string release;               ///< of the kernel
  std::filesystem::path kernel;
  std::filesystem::path initramfs;
};

/// Where the file goes in the EFI system partition, for systemd-boot to find it: "EFI/Linux/<name>.efi".
std::string uki_path(const std::string& name);

/// systemd's stub on this machine, which all are made from. Throws kMachine when it is not installed.
std::filesystem::path uki_stub();

/// Writes the new file `output`, not signed. Equal parts give equal bytes. `work_dir` takes small files.
/// Throws kMachine when the stub or objcopy is missing, kImage when the parts do not go together.
void make_uki(const UkiParts& parts, const std::filesystem::path& output,
              const std::filesystem::path& work_dir, core::ProcessRunner& processes,
              const core::CancelToken& cancel);

}  // namespace imgforge::image
