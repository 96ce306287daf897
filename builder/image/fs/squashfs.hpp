// The squashfs root of live images, made from the rootfs tar by mksquashfs (squashfs-tools) on the host
// without root.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

/// Levels of zstd: the second one takes a twentieth of the time and a sixth more room.
inline constexpr int kSquashfsLevel = 15;
inline constexpr int kDraftSquashfsLevel = 1;

/// Makes `output` (removed again on failure) with zstd compression and all that the tar tells. `epoch`: the
/// time at which the file system says it was made. Equal arguments give equal bytes. Throws kImage.
void make_squashfs(const std::filesystem::path& tar, const std::filesystem::path& output, std::int64_t epoch,
                   core::ProcessRunner& processes, const core::CancelToken& cancel,
                   int level = kSquashfsLevel);

/// Reads the superblock and the whole tree of names (`unsquashfs`). Returns the number of files and empty
/// directories. Throws kImage.
std::size_t check_squashfs(const std::filesystem::path& file, core::ProcessRunner& processes,
                           const core::CancelToken& cancel);

}  // namespace imgforge::image
