// The blocks of a file of apk 3, one after another: the database ("ADB"), its signatures, and in packages the
// contents of files. Each begins at a multiple of 8 bytes with 2 bits of type and 30 of size (its own 4 bytes
// included), or, where that is too small, with a header of 16 bytes. Format: apk-v3(5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "builder/fetch/adb/adb_stream.hpp"

namespace imgforge::fetch {

/// What the database of a file is, as the file begins with it.
enum class AdbSchema : std::uint32_t { kIndex = 0x78646e69, kPackage = 0x676b6370 };  // "indx", "pckg"

enum class AdbBlock : std::uint32_t { kDatabase = 0, kSignature = 1, kData = 2 };

class AdbBlocks {
 public:
  /// Throws kPackage when the stream holds something else than `schema`.
  AdbBlocks(AdbStream& stream, AdbSchema schema);

  /// Goes on to the next block, passing over what was not read of this one; nothing at the proper end. The
  /// database is the first block and the only one of its kind, data comes last. Throws kPackage.
  std::optional<AdbBlock> next();
  /// Bytes of the block that were not read yet.
  std::uint64_t left() const { return left_; }
  /// Up to `buffer.size()` bytes of the block; 0 at its end.
  std::size_t read(std::span<std::byte> buffer);
  /// All that is left of it. More than `limit` bytes is kUnsafe; `part` names the block in the message.
  std::string read_all(std::uint64_t limit, std::string_view part);

 private:
  void read_exactly(std::span<std::byte> buffer);
  void end_block();
  void check_order(AdbBlock type);

  AdbStream& stream_;
  std::optional<AdbBlock> before_;
  std::uint64_t left_ = 0;
  std::size_t padding_ = 0;  ///< zeros behind the block
};

}  // namespace imgforge::fetch
