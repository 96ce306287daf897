// Files made of several gzip members one after another, as apk packages and indexes are: where each member
// begins and ends exactly (signatures and checksums cover the compressed bytes of single members), and what
// it holds. Formats: RFC 1952 (gzip); Alpine's apk v2 (signature, control, data).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "core/byte_source.hpp"

namespace imgforge::fetch {

struct GzipMember {
  std::uint64_t offset = 0;    ///< first byte of the member in the file
  std::uint64_t size = 0;      ///< compressed bytes, header and trailer included
  std::uint64_t unpacked = 0;  ///< bytes of content
};

using GzipSource = core::ByteSource;
/// Sees every piece once: the member's number, its raw bytes and the content that they unpacked to.
using GzipWatcher = std::function<void(std::size_t member, std::span<const std::byte> raw,
                                       std::span<const std::byte> unpacked)>;

GzipSource gzip_source(std::string_view bytes);
/// Reads from where `fd` stands (not owned); `name` must outlive the source.
GzipSource gzip_source(int fd, std::string_view name);

/// Splits the source. `limits` has for each member the most bytes that it may unpack to; its size is the most
/// members that there may be. Throws kPackage (no gzip, damaged, cut, or bytes after the last member, saying
/// "trailing") and kUnsafe (over a limit), naming `name`.
std::vector<GzipMember> split_gzip(const GzipSource& source, std::string_view name,
                                   std::span<const std::uint64_t> limits, const GzipWatcher& watcher);

}  // namespace imgforge::fetch
