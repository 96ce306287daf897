// Disk images for other hypervisors, made from the raw disk by qemu-img: vmdk (VMware, stream-optimised),
// vhdx (Hyper-V) and vdi (VirtualBox). qemu-img puts random identifiers into them; they are replaced by
// derived ones, so that equal inputs give equal bytes.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

enum class ForeignFormat { kVmdk, kVhdx, kVdi };

/// qemu-img's name of the format: "vmdk", "vhdx", "vdi".
std::string_view foreign_format_name(ForeignFormat format);

/// Converts the raw image to the new file `output` (must not exist; removed again on failure). Identifiers
/// derive from `identity`.
void write_foreign_disk(const std::filesystem::path& raw, const std::filesystem::path& output,
                        ForeignFormat format, const std::string& identity, core::ProcessRunner& processes,
                        const core::CancelToken& cancel);

/// `qemu-img check` and the size of the disk inside. Throws kImage when the file is of another format,
/// damaged, or needs other files (backing file, further extents).
core::Bytes check_foreign_disk(const std::filesystem::path& file, ForeignFormat format,
                               core::ProcessRunner& processes, const core::CancelToken& cancel);

}  // namespace imgforge::image
