// The bytes of a regular file, for whoever hashes, compares or copies them: the one way to read many. Holes
// are not read (a disk of 8 GiB that holds 200 MB costs the page cache 200 MB; their zeros still have to be
// hashed, at the speed of the processor), and a signal to the program ends every loop here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

namespace imgforge::core {

using TakeBytes = std::function<void(std::span<const std::byte>)>;

/// Hands out the bytes of a file from its beginning to its end, in order and in blocks of at most 256 KiB;
/// holes as zeros. Returns how many bytes that were. Throws kInterrupted, and a system_error that has `name`.
/// All of these may move the position of `fd`, and none minds it.
std::uint64_t read_whole(int fd, std::string_view name, const TakeBytes& take);
/// The same for `size` bytes from `offset` on: fewer where the file ends before.
std::uint64_t read_range(int fd, std::string_view name, std::uint64_t offset, std::uint64_t size,
                         const TakeBytes& take);
/// Fills the buffer from `offset` on; returns how many bytes that were, fewer only at the end of the file.
/// For headers and other small pieces.
std::size_t read_at(int fd, std::string_view name, std::uint64_t offset, std::span<std::byte> buffer);

/// Bytes [begin, end) that are no hole.
struct DataRun {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t size() const { return end - begin; }
};
/// The first of them at or behind `offset` and before `end`, cut to that; nothing when only a hole is left or
/// the file ends. A file system that knows no holes has data everywhere.
std::optional<DataRun> next_data(int fd, std::string_view name, std::uint64_t offset,
                                 std::uint64_t end = UINT64_MAX);

}  // namespace imgforge::core
