// The CRC-32 of the GPT (UEFI specification 5.3.2: CCITT32, reflected polynomial 0xEDB88320).
#pragma once

#include <cstddef>
#include <cstdint>

namespace imgforge::target {

inline std::uint32_t crc32(const void* data, std::size_t size) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (auto* byte = static_cast<const unsigned char*>(data); size > 0; ++byte, --size) {
    crc ^= *byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

}  // namespace imgforge::target
