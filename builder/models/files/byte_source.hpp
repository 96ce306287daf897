// A file read forwards in small pieces, for readers of headers that may lie: each read is checked against
// what is left of the file before anything is allocated, and the place of a fault is known.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::models {

class ByteSource {
 public:
  /// Opens a regular file. `name` stands for it in messages.
  ByteSource(const std::filesystem::path& file, std::string name);

  std::uint64_t size() const { return size_; }
  std::uint64_t position() const { return position_; }
  std::uint64_t left() const { return size_ - position_; }
  const std::string& name() const { return name_; }

  /// Reads exactly so much. Throws `refused(...)` when the file ends before; `what` names the field.
  void read(std::span<std::byte> buffer, std::string_view what);
  /// Passes over `count` bytes without reading them; they must be there.
  void skip(std::uint64_t count, std::string_view what);
  /// Little-endian numbers.
  std::uint8_t u8(std::string_view what) { return number<std::uint8_t>(what); }
  std::uint32_t u32(std::string_view what) { return number<std::uint32_t>(what); }
  std::uint64_t u64(std::string_view what) { return number<std::uint64_t>(what); }
  /// `length` bytes of text; the caller has bounded the length.
  std::string text(std::uint64_t length, std::string_view what);
  /// First bytes of the file, at most `count`; the position stays.
  std::string peek(std::size_t count) const;
  /// Bytes at an offset, at most `count`.
  std::string at(std::uint64_t offset, std::size_t count) const;

  /// kIntegrity: "NAME: byte 24: WHAT WHY".
  core::Error refused(std::string_view what, std::string_view why) const;

 private:
  template <class Number>
  Number number(std::string_view what) {
    std::byte raw[sizeof(Number)];
    read(raw, what);
    Number value = 0;
    for (std::size_t i = sizeof(Number); i-- > 0;)
      value = static_cast<Number>((value << (sizeof(Number) > 1 ? 8 : 0)) | static_cast<Number>(raw[i]));
    return value;
  }
  bool fill();

  std::string name_;
  core::Fd fd_;
  std::uint64_t size_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t begin_ = 0;  ///< offset of the first byte of `buffer_`
  std::size_t filled_ = 0;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(64 << 10);
};

}  // namespace imgforge::models
