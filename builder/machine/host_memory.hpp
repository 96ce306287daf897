// How the host saves memory that machines have: whether it merges equal pages, and whether it compresses what
// it would swap out. Source: Linux, Documentation/admin-guide/mm/ksm.rst, mm/zswap.rst, blockdev/zram.rst.
#pragma once

#include <filesystem>
#include <string>

namespace imgforge::machine {

/// "merges equal pages (KSM: 120.0 MB saved)", or that it does not. `sys` is /sys.
std::string merging_text(const std::filesystem::path& sys);
/// "compressed (zswap)", "compressed (zram)", "on a disk", or "none". `proc` is /proc.
std::string swap_text(const std::filesystem::path& sys, const std::filesystem::path& proc);

}  // namespace imgforge::machine
