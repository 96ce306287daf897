// Digests of the pieces of a large file, so that damage is located and only the bad pieces are fetched again.
// A list decides nothing about the whole file: that is its own digest's. Written as text, `NAME.chunks`:
//
//   imgforge-chunks 1
//   size 77704715
//   chunk 4194304
//   <sha256 of each chunk, 64 hex digits a line, in order; the last chunk may be shorter>
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/blobs/byte_ranges.hpp"
#include "core/digest.hpp"

namespace imgforge::fetch {

constexpr std::uint64_t kChunkSize = 4 << 20;

struct ChunkList {
  std::uint64_t size = 0;  ///< of the whole file
  std::uint64_t chunk = kChunkSize;
  std::vector<core::Digest> digests = {};  ///< sha256

  artifacts::ByteRange range_of(std::size_t index) const;
};

/// Throws kIntegrity, naming `what` and the line: a list has exactly as many digests as the size asks for.
ChunkList parse_chunks(std::string_view text, std::string_view what);
std::string print_chunks(const ChunkList& list);
/// Reads the whole file.
ChunkList make_chunks(const std::filesystem::path& file, std::uint64_t chunk = kChunkSize);
/// The chunks of an open file that are not what the list says. Chunks of which the file lacks bytes are bad.
std::vector<artifacts::ByteRange> bad_chunks(const ChunkList& list, int fd, const std::string& name);

}  // namespace imgforge::fetch
