// The bytes of a tar archive as they come out of a file or pipe, unpacked on the way, with a watch on
// decompression bombs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "artifacts/codec/decoder.hpp"
#include "artifacts/codec/stored_input.hpp"

namespace imgforge::artifacts {

class UnpackStream {
 public:
  /// Reads from `fd` (not owned). `ratio` is the largest allowed factor of unpacked to stored bytes, looked
  /// at beyond 64 MiB unpacked.
  UnpackStream(int fd, std::string name, std::uint64_t ratio);
  UnpackStream(const UnpackStream&) = delete;
  UnpackStream& operator=(const UnpackStream&) = delete;

  /// Up to `buffer.size()` unpacked bytes; 0 only at an end that was found whole. Throws kArchive (damaged,
  /// cut, followed by more data) or kUnsafe (ratio, memory).
  std::size_t read(std::span<std::byte> buffer);
  /// Fills `buffer` unless the stream ends before; returns what came.
  std::size_t read_full(std::span<std::byte> buffer);
  /// Unpacked bytes handed out so far.
  std::uint64_t offset() const { return offset_; }

 private:
  void fill();

  StoredInput input_;
  std::unique_ptr<Decoder> decoder_;
  std::uint64_t ratio_;
  std::span<const std::byte> block_;  // unpacked, not yet handed out
  std::uint64_t unpacked_ = 0;
  std::uint64_t offset_ = 0;
  bool ended_ = false;
};

}  // namespace imgforge::artifacts
