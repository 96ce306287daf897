// Files that did not exist before and do not stay unless they became whole: a NewFile is written here, an
// UnfinishedFile by another program. Where an older file is to be replaced, core/atomic_file.hpp is the one
// to take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "core/fd.hpp"

namespace imgforge::core {

/// Whether a file survives a power cut once `commit` has returned; its name does when the folder is synced,
/// too.
enum class Sync { kNo, kYes };

/// A name under which a file comes to be. The destructor removes what lies there, unless `keep` was called.
class UnfinishedFile {
 public:
  /// Looks at nothing: the caller knows that the name is free, or that what has it may go.
  explicit UnfinishedFile(std::filesystem::path path) : path_(std::move(path)) {}
  ~UnfinishedFile();
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void keep() noexcept { kept_ = true; }

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

/// A file that this object created. Without `commit` (or `keep`) it is gone afterwards, also by an exception.
class NewFile {
 public:
  /// Creates the file with `mode`, of which the umask takes its part. A name that is taken, be it by a link,
  /// is refused as kIo, and what has it stays untouched.
  explicit NewFile(std::filesystem::path path, unsigned mode = 0644);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  /// Open for writing until `close` or `commit`.
  int fd() const { return fd_.get(); }
  const std::filesystem::path& path() const { return file_.path(); }

  void write(std::span<const std::byte> data);
  void write(std::string_view text) { write(as_bytes(text)); }
  /// Writes; blocks of 4 KiB, counted from the start of `data`, that hold only zeros become holes.
  void write_sparse(std::span<const std::byte> data);
  /// Cuts or extends to `size` bytes, by a hole.
  void resize(std::uint64_t size);
  /// Exactly these permissions, whatever the umask says.
  void set_mode(unsigned mode);
  /// How much went through `write` and `write_sparse`.
  std::uint64_t size() const { return size_; }

  void sync();
  /// No more is written here. Throws for a late error of the kernel; the file still goes unless it is kept.
  void close();
  /// What happens to the file from now on is up to somebody else.
  void keep() noexcept { file_.keep(); }
  /// The file is whole: closes it and lets it stay.
  void commit(Sync sync = Sync::kNo);

 private:
  /// A hole at the end is part of the size only when somebody says so.
  void settle();

  Fd fd_;  // first: what could not be created must not be removed
  UnfinishedFile file_;
  std::uint64_t size_ = 0;
  bool ends_in_hole_ = false;
};

/// A whole new file. With Sync::kYes its content is durable.
void write_new_file(const std::filesystem::path& path, std::string_view text, unsigned mode = 0644,
                    Sync sync = Sync::kNo);

}  // namespace imgforge::core
