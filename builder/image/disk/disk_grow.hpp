// A disk made larger: the second copy of its GPT moves to the new end, the last partition grows up to it, and
// so does the ext4 file system in that partition. All other bytes stay as they are.
#pragma once

#include <cstdint>
#include <filesystem>

#include "builder/image/disk/gpt.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

/// True when the disk has a partition for the hash tree of dm-verity: its root is sealed by a signature.
bool is_sealed(const GptLayout& layout);

struct GrownDisk {
  core::Bytes before;
  core::Bytes after;  ///< `size` in whole MiB
  core::Bytes root;   ///< of the last partition now
};

/// Grows the raw image in place; `work_dir` takes the file system meanwhile. Throws kUsage when `size` is not
/// larger than the disk, kImage when the disk is sealed, its last partition holds no ext4, or a program
/// refuses; then the image is of no use. Equal images and sizes give equal bytes.
GrownDisk grow_disk(const std::filesystem::path& raw, core::Bytes size, const std::filesystem::path& work_dir,
                    core::ProcessRunner& processes, const core::CancelToken& cancel);

}  // namespace imgforge::image
