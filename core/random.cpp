#include "core/random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <vector>

#include "core/digest.hpp"
#include "core/error.hpp"

namespace imgforge::core {

void random_bytes(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t n = ::getrandom(out.data(), out.size(), 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      throw system_error(errno, "cannot read", "random bytes");
    }
    out = out.subspan(static_cast<std::size_t>(n));
  }
}

std::string random_hex(std::size_t bytes) {
  std::vector<std::uint8_t> buffer(bytes);
  random_bytes(buffer);
  return to_hex(buffer);
}

std::string derived_uuid(std::string_view name) {
  std::vector<std::uint8_t> bytes = digest_of(HashAlgorithm::kSha256, name).bytes();
  bytes.resize(16);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x80);  // version 8
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);  // variant
  const std::string hex = to_hex(bytes);
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" +
         hex.substr(20);
}

}  // namespace imgforge::core
