// File descriptors owned once, and the few loops around read and write that everything shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace imgforge::core {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  /// Closes and ignores the result; for files that were written use `close`.
  void reset() noexcept;
  /// Closes and throws when the kernel reports a late write error.
  void close(std::string_view name);

 private:
  int fd_ = -1;
};

enum class FollowLinks { kNo, kYes };

/// Opens a regular file for reading without blocking on FIFOs; anything else is kIo "not a regular file".
Fd open_regular(const std::filesystem::path& path, FollowLinks follow = FollowLinks::kYes);
/// Opens with O_CLOEXEC; throws a system_error that names the path.
Fd open_file(const std::filesystem::path& path, int flags, unsigned mode = 0644);

/// Reads up to `buffer.size()` bytes; 0 is end of file.
std::size_t read_some(int fd, std::span<std::byte> buffer, std::string_view name);
void write_all(int fd, std::span<const std::byte> data, std::string_view name);
void write_all(int fd, std::string_view text, std::string_view name);
std::uint64_t file_size(int fd, std::string_view name);
void sync_fd(int fd, std::string_view name);
void sync_directory(const std::filesystem::path& directory);

/// Whole small file as text; more than `limit` bytes is kUnsafe.
std::string read_text_file(const std::filesystem::path& path, std::uint64_t limit = 1 << 20);

/// Copies `source` to a new file `target` (O_EXCL): reflink where the file system can, else streamed with
/// holes kept. Not synced. A failure leaves no file.
void clone_file(const std::filesystem::path& source, const std::filesystem::path& target,
                unsigned mode = 0644);

/// View of text as bytes.
inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace imgforge::core
