#include "artifacts/codec/unpack_stream.hpp"

#include <algorithm>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

constexpr std::uint64_t kRatioFreeBytes = 64ULL << 20;

}  // namespace

UnpackStream::UnpackStream(int fd, std::string name, std::uint64_t ratio)
    : input_(fd, std::move(name)),
      decoder_(make_decoder(input_)),
      ratio_(std::max<std::uint64_t>(ratio, 1)) {}

/// Makes `block_` non-empty unless the stream has ended.
void UnpackStream::fill() {
  if (ended_ || !block_.empty()) return;
  block_ = decoder_->next();
  ended_ = block_.empty();
  unpacked_ += block_.size();
  if (unpacked_ > kRatioFreeBytes && unpacked_ / ratio_ > input_.count()) {
    throw core::Error(core::Kind::kUnsafe, core::escaped(input_.name()) + ": unpacks to more than " +
                                               std::to_string(ratio_) + " times its stored size (" +
                                               core::Bytes{unpacked_}.human() +
                                               " so far); this looks like a decompression bomb");
  }
}

std::size_t UnpackStream::read(std::span<std::byte> buffer) {
  fill();
  const std::size_t n = std::min(buffer.size(), block_.size());
  std::copy_n(block_.begin(), n, buffer.begin());
  block_ = block_.subspan(n);
  offset_ += n;
  return n;
}

std::size_t UnpackStream::read_full(std::span<std::byte> buffer) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const std::size_t n = read(buffer.subspan(done));
    if (n == 0) break;
    done += n;
  }
  return done;
}

}  // namespace imgforge::artifacts
