// zstd (RFC 8878) for published images: one frame with size and checksum, written by one thread so that
// equal inputs give equal bytes, read back with bounded memory and a bounded result.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/digest.hpp"

namespace imgforge::artifacts {

/// Largest window (and so about the largest memory) that is accepted: 2^27 bytes, which is also what the zstd
/// program accepts without options.
constexpr int kZstdWindowLog = 27;
/// The window of long-distance matching that is written. Packing takes a third more memory than the window,
/// whatever the size of the file.
constexpr int kZstdLongWindowLog = 26;

/// Long-distance matching over that window finds equal blocks far apart in a disk image.
enum class LongMode { kOff, kOn };

/// Packs the regular file `source` into a new file `target` (must not exist; removed again on failure; not
/// synced). `level` is 1 to 19. Returns the packed size.
std::uint64_t compress_zstd(const std::filesystem::path& source, const std::filesystem::path& target,
                            int level, LongMode long_mode = LongMode::kOn,
                            const core::CancelToken& cancel = {});

/// Unpacks to a new file (removed again on failure; runs of zeros become holes). More than `limit` bytes or
/// a window above the bound is kUnsafe; damage, a cut file or data behind the frame is kArchive. Returns the
/// unpacked size.
std::uint64_t decompress_zstd(const std::filesystem::path& source, const std::filesystem::path& target,
                              core::Bytes limit, const core::CancelToken& cancel = {});

/// Unpacks without keeping anything: the same checks. Returns the unpacked size.
std::uint64_t test_zstd(const std::filesystem::path& source, core::Bytes limit,
                        const core::CancelToken& cancel = {});

/// What a zstd file unpacks to.
struct UnpackedDigest {
  std::uint64_t size = 0;
  core::Digest sha256;
};
/// Unpacks and hashes without keeping anything: the same checks.
UnpackedDigest digest_zstd(const std::filesystem::path& source, core::Bytes limit,
                           const core::CancelToken& cancel = {});

}  // namespace imgforge::artifacts
