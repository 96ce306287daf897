// Files of apk 3 as a stream of unpacked bytes: plain ("ADB."), deflate ("ADBd"), or "ADBc" with a byte for
// the algorithm (0 none, 1 deflate, 2 zstd) and one for the level. Never more comes out than the caller
// allows. Format: apk-v3(5) of apk-tools 3; RFC 1951 (deflate), RFC 8878 (zstd).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/byte_source.hpp"

namespace imgforge::fetch {

/// Whether a file begins as those of apk 3 do.
bool is_apk_v3(std::string_view bytes);

using AdbSource = core::ByteSource;

class AdbStream {
 public:
  /// `limit`: the most bytes that the file may unpack to. Throws kPackage when it does not begin as a file of
  /// apk 3; `name` is for messages.
  AdbStream(AdbSource source, std::string name, std::uint64_t limit);
  ~AdbStream();
  AdbStream(const AdbStream&) = delete;
  AdbStream& operator=(const AdbStream&) = delete;

  /// Fills `buffer` unless the stream ends before; returns what came. Throws kPackage (cut off, bytes after
  /// the compressed data), kIntegrity (damaged), kUnsafe (over the limit, too large a window).
  std::size_t read(std::span<std::byte> buffer);
  const std::string& name() const { return name_; }

 private:
  class Unpacker;
  class Plain;
  class Inflate;
  class Zstd;
  std::unique_ptr<Unpacker> unpacker_of(core::SourceBuffer& input);

  std::string name_;
  std::uint64_t left_;  ///< of the limit
  std::uint64_t limit_;
  std::unique_ptr<core::SourceBuffer> input_;
  std::unique_ptr<Unpacker> unpacker_;
};

}  // namespace imgforge::fetch
