// The memory of this machine.
#pragma once

#include <filesystem>

#include "core/bytes.hpp"

namespace imgforge::machine {

/// What may be used now without swapping: MemAvailable of proc(5)'s meminfo, and no more than what the
/// control groups of this process have left (memory.max of the kernel's cgroup-v2.rst; files that were read
/// and can be dropped count as free). 0 where that is not to be had.
core::Bytes available_memory(const std::filesystem::path& proc = "/proc",
                             const std::filesystem::path& groups = "/sys/fs/cgroup");

}  // namespace imgforge::machine
