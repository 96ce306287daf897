#include "builder/image/image_bytes.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"

namespace imgforge::image {

using core::Error;
using core::Kind;

void ImageBytes::read(std::uint64_t offset, std::span<std::byte> buffer) const {
  if (offset > size() || buffer.size() > size() - offset)
    throw Error(Kind::kImage, "it points beyond its own end");
  if (!buffer.empty()) fill(offset, buffer);
}

std::string ImageBytes::text(std::uint64_t offset, std::size_t count) const {
  if (offset >= size()) return {};
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(count, size() - offset)), '\0');
  read(offset, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

FileBytes::FileBytes(int fd, std::string name)
    : fd_(fd), name_(std::move(name)), size_(core::file_size(fd, name_)) {}

void FileBytes::fill(std::uint64_t offset, std::span<std::byte> buffer) const {
  if (core::read_at(fd_, name_, offset, buffer) != buffer.size())
    throw Error(Kind::kImage, "it became shorter while it was read");
}

PartBytes::PartBytes(const ImageBytes& all, std::uint64_t offset, std::uint64_t size)
    : all_(all), offset_(offset), size_(size) {
  if (offset > all.size() || size > all.size() - offset)
    throw Error(Kind::kImage, "a part of it ends behind it");
}

void PartBytes::fill(std::uint64_t offset, std::span<std::byte> buffer) const {
  all_.read(offset_ + offset, buffer);
}

}  // namespace imgforge::image
