// BLAKE2b with a 32-byte digest (RFC 7693), which checksums minisign secret keys. OpenSSL 3.0 has only the
// 64-byte form, and the length is a parameter of the function: cutting the long digest gives other bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace imgforge::signing {

/// Unkeyed BLAKE2b-256 of `data`. Leaves nothing of it on the stack.
std::array<std::uint8_t, 32> blake2b_256(std::span<const std::uint8_t> data);

}  // namespace imgforge::signing
