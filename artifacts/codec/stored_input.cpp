#include "artifacts/codec/stored_input.hpp"

#include <algorithm>
#include <utility>

#include "core/cancel.hpp"
#include "core/fd.hpp"

namespace imgforge::artifacts {
namespace {

constexpr std::size_t kBufferSize = 1 << 18;
constexpr std::size_t kHead = 512;

}  // namespace

StoredInput::StoredInput(int fd, std::string name) : fd_(fd), name_(std::move(name)), buffer_(kBufferSize) {
  std::size_t size = 0;
  while (size < kHead) {
    const std::size_t n = core::read_some(fd_, std::span(buffer_).subspan(size), name_);
    if (n == 0) break;
    size += n;
  }
  head_ = {buffer_.data(), size};
  note(head_);
}

std::span<const std::byte> StoredInput::next() {
  core::CancelToken::check_signals();
  if (!std::exchange(head_given_, true)) return head_;
  const std::span<const std::byte> block(buffer_.data(), core::read_some(fd_, buffer_, name_));
  note(block);
  return block;
}

void StoredInput::note(std::span<const std::byte> data) {
  count_ += data.size();
  const std::size_t fresh = std::min(data.size(), kTail);
  std::rotate(tail_.begin(), tail_.begin() + static_cast<std::ptrdiff_t>(fresh), tail_.end());
  std::copy_n(data.end() - static_cast<std::ptrdiff_t>(fresh), fresh,
              tail_.end() - static_cast<std::ptrdiff_t>(fresh));
}

}  // namespace imgforge::artifacts
