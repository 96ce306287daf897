#include "builder/models/files/byte_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/file_bytes.hpp"
#include "core/text.hpp"

namespace imgforge::models {

ByteSource::ByteSource(const std::filesystem::path& file, std::string name)
    : name_(core::escaped(name, 200)),
      fd_(core::open_regular(file)),
      size_(core::file_size(fd_.get(), file.native())) {}

bool ByteSource::fill() {
  if (position_ >= begin_ && position_ < begin_ + filled_) return true;
  begin_ = position_;
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), left()));
  filled_ = core::read_at(fd_.get(), name_, begin_, std::span(buffer_).first(wanted));
  return filled_ > 0;
}

void ByteSource::read(std::span<std::byte> buffer, std::string_view what) {
  if (buffer.size() > left()) throw refused(what, "is cut off: the file ends");
  std::size_t done = 0;
  while (done < buffer.size()) {
    if (!fill()) throw refused(what, "is cut off: the file became shorter");
    const std::size_t from = static_cast<std::size_t>(position_ - begin_);
    const std::size_t count = std::min(filled_ - from, buffer.size() - done);
    std::memcpy(buffer.data() + done, buffer_.data() + from, count);
    done += count;
    position_ += count;
  }
}

void ByteSource::skip(std::uint64_t count, std::string_view what) {
  if (count > left()) throw refused(what, fmt::format("takes {} bytes, the file has {} left", count, left()));
  position_ += count;
}

std::string ByteSource::text(std::uint64_t length, std::string_view what) {
  if (length > left())
    throw refused(what, fmt::format("takes {} bytes, the file has {} left", length, left()));
  std::string text(static_cast<std::size_t>(length), '\0');
  read(std::as_writable_bytes(std::span(text.data(), text.size())), what);
  return text;
}

std::string ByteSource::peek(std::size_t count) const {
  return at(0, count);
}

std::string ByteSource::at(std::uint64_t offset, std::size_t count) const {
  if (offset >= size_) return {};
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(count, size_ - offset)), '\0');
  text.resize(core::read_at(fd_.get(), name_, offset, std::as_writable_bytes(std::span(text))));
  return text;
}

core::Error ByteSource::refused(std::string_view what, std::string_view why) const {
  return {core::Kind::kIntegrity, fmt::format("{}: byte {}: {} {}", name_, position_, what, why)};
}

}  // namespace imgforge::models
