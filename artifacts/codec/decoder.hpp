// Decoders for compressed archives, recognised by magic number: gzip, zstd and bzip2 through libarchive's
// filters, xz through liblzma because libarchive decodes it without a memory limit. What libarchive lets
// pass is checked behind it: a wrong gzip checksum, data behind the compressed stream, a second gzip member.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "artifacts/codec/stored_input.hpp"

namespace imgforge::artifacts {

class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Next unpacked bytes; empty at an end that was found whole. Throws kArchive or kUnsafe (memory).
  virtual std::span<const std::byte> next() = 0;
};

/// The decoder for what `input` (which must outlive it) begins with.
std::unique_ptr<Decoder> make_decoder(StoredInput& input);

}  // namespace imgforge::artifacts
