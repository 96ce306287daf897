// The Range header (RFC 9110, 14.2) for one range of bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace imgforge::serve {

/// Bytes `first` to `first + count - 1`.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool operator==(const ByteRange&) const = default;
};

enum class RangeKind {
  kNone,           ///< no range, or one that the RFC tells to ignore: malformed, another unit, several ranges
  kPart,           ///< `range` is to be sent
  kUnsatisfiable,  ///< well-formed, but begins behind the end
};

struct RangeAnswer {
  RangeKind kind = RangeKind::kNone;
  ByteRange range;
};

/// What the header asks of a file of `size` bytes.
RangeAnswer parse_range(std::string_view header, std::uint64_t size);

}  // namespace imgforge::serve
