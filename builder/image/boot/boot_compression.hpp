// The compressions that meet in an initramfs: distributions ship kernel modules gzip, xz or zstd compressed,
// and the kernel unpacks an initramfs that is gzip or zstd compressed. Compressing is deterministic.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace imgforge::image {

enum class InitramfsCompression { kGzip, kZstd };

/// "gzip" or "zstd".
std::string_view compression_name(InitramfsCompression compression);

/// Compresses for the kernel's own unpackers (zstd windows stay within the 8 MiB it accepts).
std::string compress_initramfs(std::string_view data, InitramfsCompression compression);

/// Content of a module file by the ending of `name` (.ko, .ko.gz, .ko.xz, .ko.zst). Throws kImage when it is
/// damaged, unpacks to more than `limit` bytes, or is compressed in another way.
std::string unpack_module(std::string_view data, std::string_view name, std::uint64_t limit = 64u << 20);

}  // namespace imgforge::image
