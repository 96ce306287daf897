// Machines that begin with their release's kernel at once, without firmware and boot loader.
#pragma once

#include <filesystem>
#include <string>

#include "artifacts/manifest/manifest.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/registry/settings.hpp"

namespace imgforge::cli {

/// Takes kernel and initramfs of the verified disk that `settings` stand on into the machine's folder, out of
/// the cache where it has them, else out of the disk, when `firmware` is "kernel", or "auto" and no later
/// kernel can be on the machine's disk at its next start. Throws kUsage when "kernel" is asked for and there
/// is none.
void take_own_kernel(const Context& context, const std::filesystem::path& folder,
                     const artifacts::Manifest& manifest, const std::string& firmware,
                     machines::Settings& settings);

}  // namespace imgforge::cli
