// Bytes that come from somewhere piece by piece, and one buffer between them and who unpacks them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace imgforge::core {

/// Puts the next bytes into the buffer; how many, 0 at the end.
using ByteSource = std::function<std::size_t(std::span<std::byte>)>;

class SourceBuffer {
 public:
  explicit SourceBuffer(ByteSource source) : source_(std::move(source)), buffer_(1 << 16) {}

  /// Bytes not taken yet; empty only at the end of the source.
  std::span<const std::byte> pending() {
    if (begin_ == end_) {
      begin_ = 0;
      end_ = source_(buffer_);
    }
    return std::span(buffer_).subspan(begin_, end_ - begin_);
  }
  void take(std::size_t count) { begin_ += count; }
  /// Up to `count` bytes, as many as there are.
  std::string take_text(std::size_t count) {
    std::string text;
    while (text.size() < count) {
      const std::span<const std::byte> bytes = pending();
      if (bytes.empty()) break;
      const std::size_t part = std::min(bytes.size(), count - text.size());
      text.append(reinterpret_cast<const char*>(bytes.data()), part);
      take(part);
    }
    return text;
  }

 private:
  ByteSource source_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace imgforge::core
