// The numbers of apk 3's files: little-endian, anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace imgforge::fetch {

/// `bytes` must reach beyond the number at `at`.
constexpr std::uint64_t little_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return value;
}
constexpr std::uint32_t little_endian_32(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint32_t>(little_endian(bytes, at, 4));
}
constexpr std::uint64_t little_endian_64(std::string_view bytes, std::size_t at) {
  return little_endian(bytes, at, 8);
}

}  // namespace imgforge::fetch
