// qcow2: compressed disk images made from raw ones by qemu-img, and the check of a qcow2 file before anything
// is believed about it. The header is parsed here first, because qemu-img follows backing files and external
// data files to any path of the host. Format: QEMU documentation, docs/interop/qcow2.txt.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "builder/image/image_bytes.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

/// How clusters are compressed. kNone: not at all.
enum class ClusterCompression { kZstd, kZlib, kNone };

struct Qcow2Facts {
  core::Bytes virtual_size;
  core::Bytes cluster_size;
  ClusterCompression compression_type = ClusterCompression::kZlib;  ///< of the clusters that are compressed
  std::uint64_t l1_offset = 0;                                      ///< of the first table in the file
  std::uint64_t l1_bytes = 0;
};

/// Converts the raw image `raw` to the new file `output` (must not exist; removed again on failure) and
/// checks it. Equal raw images give equal files.
Qcow2Facts write_qcow2(const std::filesystem::path& raw, const std::filesystem::path& output,
                       ClusterCompression compression, core::ProcessRunner& processes,
                       const core::CancelToken& cancel);

/// Parses the header alone. Throws kImage when it is malformed or has anything that a self-contained image
/// does not need: backing file, external data file, encryption, snapshots, bitmaps, dirty or corrupt marks,
/// unknown features.
Qcow2Facts read_qcow2_header(const std::filesystem::path& file);
/// The same of bytes that are read otherwise; `name` is for messages.
Qcow2Facts read_qcow2_header(const ImageBytes& file, const std::string& name);

/// What an overlay may be that somebody else sends.
struct OverlayFacts {
  core::Bytes virtual_size;
  bool has_backing = false;  ///< it names another file, whichever
  unsigned snapshots = 0;    ///< internal ones
};
/// Parses the header of a machine's overlay: as read_qcow2_header, but a backing file and snapshots are let
/// pass. What would lead to a further file (external data file), and header extensions that QEMU's overlays
/// do not have, are refused.
OverlayFacts read_overlay_header(const std::filesystem::path& file);
OverlayFacts read_overlay_header(const ImageBytes& file, const std::string& name);

/// Header, then `qemu-img check`. Throws kImage with what qemu-img found.
Qcow2Facts check_qcow2(const std::filesystem::path& file, core::ProcessRunner& processes,
                       const core::CancelToken& cancel);

}  // namespace imgforge::image
