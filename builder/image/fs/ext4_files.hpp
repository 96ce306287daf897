// Reads the files of an ext4 file system through libext2fs, without mounting it, and says what each block of
// it is used for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "builder/image/image_bytes.hpp"

namespace imgforge::image {

/// A file with its first path.
struct Ext4File {
  std::string path;         ///< "etc/passwd"; the root directory is "."
  std::uint32_t inode = 0;  ///< number
  std::string bytes;        ///< the inode as it is stored
  bool is_regular = false;
  std::uint64_t size = 0;  ///< bytes of content
  std::uint32_t mode = 0;  ///< type and permissions, as in stat(2)
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::string link_target;  ///< of a symbolic link
};

class Ext4Files {
 public:
  /// Opens the file system that begins `offset` bytes into `image`, read-only; wrong checksums are no
  /// hindrance. Throws kImage.
  Ext4Files(const std::filesystem::path& image, std::uint64_t offset);
  /// The same of bytes that are read otherwise and outlive it; what blocks are used for is not known then.
  explicit Ext4Files(const ImageBytes& bytes);
  ~Ext4Files();

  /// Every path of the directories, hard links again by each name. Throws kImage for directories that hold
  /// themselves or are damaged and for names that no file can have, kUnsafe for one of more than a million
  /// names.
  void visit(const std::function<void(const Ext4File&)>& visitor) const;
  /// The content of a regular file, piece by piece. Throws kImage.
  void read(std::uint32_t inode, const std::function<void(std::string_view)>& sink) const;
  /// Extended attributes by their full names. Throws kImage.
  std::map<std::string, std::string> attributes(std::uint32_t inode) const;
  /// The inode as it is stored.
  std::string inode_bytes(std::uint32_t inode) const;

  std::uint32_t block_size() const;  ///< bytes
  /// The inodes, [first, second), in a block of the inode tables; equal numbers for any other block.
  std::pair<std::uint32_t, std::uint32_t> inodes_in(std::uint64_t block) const;
  /// What file system data the block is: "block bitmap of group 3"; empty for others.
  std::string role_of(std::uint64_t block) const;
  /// Which inodes use which of these blocks.
  std::map<std::uint64_t, std::uint32_t> owners_of(const std::set<std::uint64_t>& blocks) const;
  std::uint32_t journal_inode() const;
  /// Offsets in bytes, from the start of the file system, of the first group descriptors, and their size.
  std::uint64_t descriptors_start() const;
  std::uint32_t descriptor_size() const;
  std::uint32_t groups() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace imgforge::image
