// All bytes of a file in one pass, for whoever hashes or copies it. Holes are not read: a disk of 8 GiB that
// holds 200 MB costs the page cache 200 MB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

namespace imgforge::core {

/// Hands out the bytes of a regular file from its beginning to its end, in order and in blocks of at most 256
/// KiB; holes as zeros. Returns how many bytes that were. Moves the position of `fd`. Throws a system_error
/// that has `name`.
std::uint64_t read_whole(int fd, std::string_view name,
                         const std::function<void(std::span<const std::byte>)>& take);

}  // namespace imgforge::core
