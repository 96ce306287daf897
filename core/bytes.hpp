// Sizes as a type: parsed from what people write (64M, 1G, 512KiB) and printed for people.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace imgforge::core {

/// A number of bytes. Suffixes K, M, G, T (also KiB/KB, any case) are powers of 1024.
struct Bytes {
  std::uint64_t value = 0;
  auto operator<=>(const Bytes&) const = default;

  /// Throws kUsage: "10Q" and "-1" are not sizes. No fraction, sign, exponent or overflow is accepted.
  static Bytes parse(std::string_view text);
  /// Shortest exact text in the same notation: 1G, 1536M, 1000.
  std::string to_string() const;
  /// Decimal text for people, as in "22.1 MB".
  std::string human() const;
};

constexpr Bytes kib(std::uint64_t n) {
  return {n << 10};
}
constexpr Bytes mib(std::uint64_t n) {
  return {n << 20};
}
constexpr Bytes gib(std::uint64_t n) {
  return {n << 30};
}

}  // namespace imgforge::core
