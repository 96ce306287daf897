#include "builder/models/byte_source.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/text.hpp"

namespace imgforge::models {
namespace {

std::size_t read_at(int fd, std::span<std::byte> buffer, std::uint64_t offset, const std::string& name) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t n =
        ::pread(fd, buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw core::system_error(errno, "cannot read", name);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

}  // namespace

ByteSource::ByteSource(const std::filesystem::path& file, std::string name)
    : name_(core::escaped(name, 200)),
      fd_(core::open_regular(file)),
      size_(core::file_size(fd_.get(), file.native())) {}

bool ByteSource::fill() {
  if (position_ >= begin_ && position_ < begin_ + filled_) return true;
  begin_ = position_;
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), left()));
  filled_ = read_at(fd_.get(), std::span(buffer_).first(wanted), begin_, name_);
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
  text.resize(read_at(fd_.get(), std::as_writable_bytes(std::span(text.data(), text.size())), offset, name_));
  return text;
}

core::Error ByteSource::refused(std::string_view what, std::string_view why) const {
  return {core::Kind::kIntegrity, fmt::format("{}: byte {}: {} {}", name_, position_, what, why)};
}

}  // namespace imgforge::models
