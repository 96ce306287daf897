// The kernel and initramfs that a disk of imgforge starts, taken out of its boot partition, for a machine
// that begins with them at once.
#pragma once

#include <filesystem>

#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

struct DiskKernel {
  std::filesystem::path kernel;
  std::filesystem::path initramfs;
};

enum class HasKernel { kNo, kYes };

/// Copies both out of a qcow2 or raw image without backing file that was verified: mtools reads its file
/// system. kNo, and no file, when the disk starts otherwise, as with unified kernel images. `work_dir` takes
/// a copy of the partition for a moment.
HasKernel extract_kernel(const std::filesystem::path& disk, const DiskKernel& targets,
                         const std::filesystem::path& work_dir, core::ProcessRunner& processes,
                         const core::CancelToken& cancel);

}  // namespace imgforge::image
