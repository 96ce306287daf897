#include "builder/cli/vm/own_kernel.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/image/disk/disk_kernel.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using machines::Settings;

constexpr const char* kRomFolder = "/usr/share/qemu";

/// What the machine writes is gone before its next start, or does not reach root.
bool keeps_its_kernel(const Settings& settings, const artifacts::Manifest& manifest) {
  return settings.disposable || manifest.kernel_cmdline.find(" imgforge.overlay=tmpfs ") != std::string::npos;
}

std::optional<artifacts::BlobStore> blobs_of(const Context& context) {
  try {
    return artifacts::BlobStore(context.options.cache_dir / "blobs",
                                std::make_unique<artifacts::DigestMemory>(
                                    context.options.cache_dir / "digests", artifacts::Earlier::kBelieve));
  } catch (const core::Error&) {  // a cache that can only be read
    return std::nullopt;
  }
}

/// What the build, or a machine before this one, left in the cache.
bool take_from_cache(artifacts::BlobStore& blobs, const image::DiskKernel& targets,
                     const artifacts::Manifest& manifest) {
  const auto kernel = blobs.find_again(manifest.kernel_sha256);
  const auto initramfs = blobs.find_again(manifest.initramfs_sha256);
  if (!kernel || !initramfs) return false;
  core::clone_file(kernel->path(), targets.kernel);
  core::clone_file(initramfs->path(), targets.initramfs);
  return true;
}

void keep_in_cache(artifacts::BlobStore& blobs, const image::DiskKernel& files,
                   const artifacts::Manifest& manifest) {
  const core::TempDir work(blobs.staging(), "kernel");
  for (const auto& [file, digest] : {std::pair(files.kernel, manifest.kernel_sha256),
                                     std::pair(files.initramfs, manifest.initramfs_sha256)}) {
    core::clone_file(file, work / "file");
    blobs.adopt(work / "file", digest, artifacts::Durability::kRemade);
  }
}

/// A cache without them is filled; kNo as with image::extract_kernel.
image::HasKernel take_kernel(const Context& context, const fs::path& folder, const fs::path& disk,
                             const artifacts::Manifest& manifest) {
  const image::DiskKernel targets{folder / machines::kKernelFile, folder / machines::kInitramfsFile};
  std::optional<artifacts::BlobStore> blobs;
  if (!manifest.kernel_sha256.empty()) blobs = blobs_of(context);
  if (blobs && take_from_cache(*blobs, targets, manifest)) return image::HasKernel::kYes;
  const image::HasKernel has =
      image::extract_kernel(disk, targets, folder, context.processes, context.cancel);
  if (!blobs || has == image::HasKernel::kNo) return has;
  try {
    keep_in_cache(*blobs, targets, manifest);
  } catch (const core::Error& error) {  // a full cache only costs the next machine some time
    if (error.kind() == core::Kind::kIntegrity) throw;
  }
  return has;
}

}  // namespace

void take_own_kernel(const Context& context, const std::filesystem::path& folder,
                     const artifacts::Manifest& manifest, const std::string& firmware, Settings& settings) {
  const bool asked = firmware == "kernel";
  if (!asked && (firmware != "auto" || !keeps_its_kernel(settings, manifest))) return;
  if (!manifest.kernel_cmdline.empty() &&
      take_kernel(context, folder, settings.origin.file, manifest) == image::HasKernel::kYes) {
    settings.firmware = "kernel";
    settings.cmdline = manifest.kernel_cmdline;
    if (fs::exists(fs::path(kRomFolder) / machines::kBootRom)) settings.boot_rom = machines::kBootRom;
  } else if (asked) {
    throw core::Error(core::Kind::kUsage,
                      "--firmware kernel: the release has no kernel that can be started by itself");
  }
}

}  // namespace imgforge::cli
