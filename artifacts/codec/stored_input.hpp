// The stored (packed) side of an archive: a file or pipe read in blocks, counted, its first bytes looked at
// before they are handed out and its last eight remembered for the trailer check. Private to
// unpack_stream.cpp and decoder.cpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace imgforge::artifacts {

class StoredInput {
 public:
  static constexpr std::size_t kTail = 8;

  /// Reads the first bytes of `fd` (not owned).
  StoredInput(int fd, std::string name);
  /// First bytes (up to 512), for recognising the format.
  std::span<const std::byte> head() const { return head_; }
  /// Next block, beginning with the head; empty at the end. Valid until the next call.
  std::span<const std::byte> next();
  /// Bytes read from the file so far.
  std::uint64_t count() const { return count_; }
  /// The last eight bytes read.
  const std::array<std::byte, kTail>& tail() const { return tail_; }
  const std::string& name() const { return name_; }

 private:
  void note(std::span<const std::byte> data);

  int fd_;
  std::string name_;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> head_;
  bool head_given_ = false;
  std::uint64_t count_ = 0;
  std::array<std::byte, kTail> tail_{};
};

}  // namespace imgforge::artifacts
