// The root file system leaves the appliance once, as a stream, and is normalised on its way.
#pragma once

#include <cstdint>
#include <filesystem>

#include "artifacts/tar/tar.hpp"
#include "builder/guest/sandbox.hpp"

namespace imgforge::guest {

/// Writes the normalised tar to the new file `target`, without what a running system mounts over (/proc,
/// /sys, /dev, /run, /tmp keep their empty folders). Times later than `epoch` are clamped; `spool` is a
/// folder for temporary files. Throws what the appliance or the tar reader throws, whichever was first;
/// `target` is gone then.
artifacts::NormaliseResult export_rootfs(Sandbox& guest, const std::filesystem::path& target,
                                         std::int64_t epoch, const std::filesystem::path& spool);

}  // namespace imgforge::guest
