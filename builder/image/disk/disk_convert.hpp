// Disks from one format into another, by way of the raw disk, which all formats are made from: the bytes that
// a machine sees stay the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "builder/image/disk/qcow2.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

/// "raw", "qcow2", "vdi", "vhdx", "vmdk": formats that hold one disk, in the order in which they are
/// preferred as a source.
std::span<const std::string_view> disk_formats();
/// True for one of them.
bool is_disk_format(std::string_view format);

/// Writes the disk in `source` to the new sparse file `raw` (must not exist; removed again on failure), after
/// the header was checked as for verification: nothing outside `source` is read. Throws kImage, kNoSpace.
void unpack_disk(const std::filesystem::path& source, std::string_view format,
                 const std::filesystem::path& raw, core::ProcessRunner& processes,
                 const core::CancelToken& cancel);

struct PackOptions {
  std::string identity;  ///< text that identifiers inside vmdk, vhdx and vdi derive from
  ClusterCompression compression = ClusterCompression::kZstd;  ///< of qcow2
};
/// Writes the raw disk as a new file of that format. Equal arguments give equal bytes.
void pack_disk(const std::filesystem::path& raw, std::string_view format, const std::filesystem::path& output,
               const PackOptions& options, core::ProcessRunner& processes, const core::CancelToken& cancel);

/// kNoSpace when what a program of others printed says that the disk, the quota or a limit on the size of
/// files was reached; otherwise the error as it is.
core::Error full_disk_error(core::Error error);

}  // namespace imgforge::image
