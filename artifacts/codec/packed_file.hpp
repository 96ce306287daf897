// Files of archived releases: artifacts packed by zstd or xz beside an unchanged manifest. A packed file is
// named as the artifact with ".zst" or ".xz" behind it, as the programs zstd and xz name them; what the
// manifest promises is checked over the unpacked bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/cancel.hpp"

namespace imgforge::artifacts {

enum class Packing { kZstd, kXz };
/// ".zst", ".xz".
std::string_view packing_suffix(Packing packing);

/// Packs the regular file `source` into a new file `target` on all cores (zstd with long-distance matching
/// over 64 MiB, or xz); `target` is removed again on failure and not synced. Returns the packed size.
std::uint64_t pack_file(const std::filesystem::path& source, const std::filesystem::path& target,
                        Packing packing, const core::CancelToken& cancel = {});

/// Unpacks (gzip, xz, zstd and bzip2 by their first bytes) and hands the bytes on, piece by piece. More than
/// `limit` bytes is kUnsafe; damage, a cut file or data behind the end is kArchive.
void read_unpacked(const std::filesystem::path& source, std::uint64_t limit,
                   const std::function<void(std::span<const std::byte>)>& sink);
/// The same into a new file, zeros as holes; removed again on failure, not synced.
void unpack_file(const std::filesystem::path& source, const std::filesystem::path& target,
                 std::uint64_t limit, const core::CancelToken& cancel = {});

/// Where a file of a release is: under its own name, or packed where the folder is not one below releases/.
/// The own name when there is neither.
std::filesystem::path stored_path(const std::filesystem::path& directory, const std::string& file);
/// True when `path` is the packed form of `file`.
bool is_packed(const std::filesystem::path& path, const std::string& file);

}  // namespace imgforge::artifacts
