// Random bytes from the kernel and identifiers derived from inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace imgforge::core {

/// Fills from getrandom(2).
void random_bytes(std::span<std::uint8_t> out);
/// `bytes` random bytes as lower-case hex.
std::string random_hex(std::size_t bytes);
/// Name-based UUID (RFC 9562 version 8: SHA-256 of `name`) in 8-4-4-4-12 form: equal inputs give equal UUIDs.
std::string derived_uuid(std::string_view name);

}  // namespace imgforge::core
