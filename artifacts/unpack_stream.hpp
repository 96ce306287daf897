// The bytes of a tar archive as they come out of a file or pipe, unpacked on the way. libarchive's filters
// (gzip, xz, zstd, bzip2 and no other) do the unpacking; what they let pass is checked here: a wrong gzip
// checksum, data behind the compressed stream, a second gzip member, a cut stream, a bomb.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/error.hpp"

namespace imgforge::artifacts {

class UnpackStream {
 public:
  /// Reads from `fd` (not owned) and recognises the compression by its magic number. `ratio` is the largest
  /// allowed factor of unpacked to stored bytes, looked at beyond 64 MiB unpacked.
  UnpackStream(int fd, std::string name, std::uint64_t ratio);
  ~UnpackStream();
  UnpackStream(UnpackStream&&) noexcept;

  /// Up to `buffer.size()` unpacked bytes; 0 only at an end that was found whole. Throws kArchive (damaged,
  /// cut, followed by more data) or kUnsafe (ratio, memory).
  std::size_t read(std::span<std::byte> buffer);
  /// Fills `buffer` unless the stream ends before; returns what came.
  std::size_t read_full(std::span<std::byte> buffer);
  /// Unpacked bytes handed out so far.
  std::uint64_t offset() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace imgforge::artifacts
