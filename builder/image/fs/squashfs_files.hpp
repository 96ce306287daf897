// Reads the files of a squashfs file system through libsquashfs (squashfs-tools-ng), in this process and
// without unpacking it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "builder/image/image_bytes.hpp"

namespace imgforge::image {

/// Takes content piece by piece.
using TakeContent = std::function<void(std::string_view)>;

/// A file as the visitor sees it; what it reads is there during the call only.
struct SquashfsFile {
  std::string path;        ///< "etc/passwd"; the root directory is "."
  std::uint32_t mode = 0;  ///< type and permissions, as in stat(2)
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;   ///< bytes of content
  std::string link_target;  ///< of a symbolic link
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::map<std::string, std::string> attributes;  ///< extended ones, by their full names
  std::function<void(const TakeContent&)> read;   ///< the content of a regular file. Throws kImage
};

class SquashfsFiles {
 public:
  /// Reads the superblock and the tables; `bytes` must outlive it. Throws kImage.
  explicit SquashfsFiles(const ImageBytes& bytes);
  ~SquashfsFiles();

  /// Every path, hard links again by each name. Throws kImage for directories that hold themselves or are
  /// damaged and for names that no file can have.
  void visit(const std::function<void(const SquashfsFile&)>& visitor) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace imgforge::image
