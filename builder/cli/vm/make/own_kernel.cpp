#include "builder/cli/vm/make/own_kernel.hpp"

#include "builder/image/disk/disk_kernel.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "core/error.hpp"

namespace imgforge::cli {
namespace {

using machines::Settings;

/// What the machine writes is gone before its next start, or does not reach root.
bool keeps_its_kernel(const Settings& settings, const artifacts::Manifest& manifest) {
  return settings.disposable || manifest.kernel_cmdline.find(" imgforge.overlay=tmpfs ") != std::string::npos;
}

}  // namespace

void take_own_kernel(const Context& context, const std::filesystem::path& folder,
                     const artifacts::Manifest& manifest, const std::string& firmware, Settings& settings) {
  const bool asked = firmware == "kernel";
  if (!asked && (firmware != "auto" || !keeps_its_kernel(settings, manifest))) return;
  if (!manifest.kernel_cmdline.empty() &&
      image::extract_kernel(settings.origin.file,
                            {folder / machines::kKernelFile, folder / machines::kInitramfsFile}, folder,
                            context.processes, context.cancel) == image::HasKernel::kYes) {
    settings.firmware = "kernel";
    settings.cmdline = manifest.kernel_cmdline;
  } else if (asked) {
    throw core::Error(core::Kind::kUsage,
                      "--firmware kernel: the release has no kernel that can be started by itself");
  }
}

}  // namespace imgforge::cli
