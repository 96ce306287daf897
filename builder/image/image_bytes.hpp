// The bytes of a disk, partition or file system, readable anywhere: of a file, of a part of others, or as an
// encoding such as qcow2 shows them. For reading foreign images without unpacking them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace imgforge::image {

class ImageBytes {
 public:
  virtual ~ImageBytes() = default;
  virtual std::uint64_t size() const = 0;
  /// Fills the buffer from `offset` on. Throws kImage when that goes beyond the end.
  void read(std::uint64_t offset, std::span<std::byte> buffer) const;
  /// The same as text, cut to what there is.
  std::string text(std::uint64_t offset, std::size_t size) const;

 protected:
  /// The range is inside.
  virtual void fill(std::uint64_t offset, std::span<std::byte> buffer) const = 0;
};

/// A file by its descriptor, which is not owned; it has the size that it has now.
class FileBytes : public ImageBytes {
 public:
  FileBytes(int fd, std::string name);
  std::uint64_t size() const override { return size_; }

 private:
  void fill(std::uint64_t offset, std::span<std::byte> buffer) const override;
  int fd_;
  std::string name_;
  std::uint64_t size_;
};

/// A part of others, such as a partition. Throws kImage when it is not inside.
class PartBytes : public ImageBytes {
 public:
  PartBytes(const ImageBytes& all, std::uint64_t offset, std::uint64_t size);
  std::uint64_t size() const override { return size_; }

 private:
  void fill(std::uint64_t offset, std::span<std::byte> buffer) const override;
  const ImageBytes& all_;
  std::uint64_t offset_;
  std::uint64_t size_;
};

}  // namespace imgforge::image
