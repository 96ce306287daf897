#include "core/fd.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "core/error.hpp"
#include "core/file_bytes.hpp"
#include "core/new_file.hpp"

namespace imgforge::core {

void Fd::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Fd::close(std::string_view name) {
  if (fd_ >= 0 && ::close(std::exchange(fd_, -1)) != 0) throw system_error(errno, "cannot close", name);
}

Fd open_file(const std::filesystem::path& path, int flags, unsigned mode) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) throw system_error(errno, "cannot open", path.native());
  return fd;
}

Fd open_regular(const std::filesystem::path& path, FollowLinks follow) {
  Fd fd = open_file(path, O_RDONLY | O_NONBLOCK | (follow == FollowLinks::kNo ? O_NOFOLLOW : 0));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw system_error(errno, "cannot examine", path.native());
  if (!S_ISREG(status.st_mode)) throw Error(Kind::kIo, path.native() + " is not a regular file");
  return fd;
}

std::size_t read_some(int fd, std::span<std::byte> buffer, std::string_view name) {
  while (true) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw system_error(errno, "cannot read", name);
  }
}

void write_all(int fd, std::span<const std::byte> data, std::string_view name) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n > 0) {
      data = data.subspan(static_cast<std::size_t>(n));
    } else if (n == 0 || errno != EINTR) {
      throw system_error(n == 0 ? ENOSPC : errno, "cannot write", name);
    }
  }
}

void write_all(int fd, std::string_view text, std::string_view name) {
  write_all(fd, as_bytes(text), name);
}

std::uint64_t file_size(int fd, std::string_view name) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw system_error(errno, "cannot examine", name);
  return static_cast<std::uint64_t>(status.st_size);
}

void sync_fd(int fd, std::string_view name) {
  // Never retried: after a failed fsync the kernel may have dropped the dirty pages, and a second call that
  // succeeds proves nothing.
  if (::fsync(fd) != 0) throw system_error(errno, "cannot sync", name);
}

void sync_directory(const std::filesystem::path& directory) {
  const Fd fd = open_file(directory, O_RDONLY | O_DIRECTORY);
  sync_fd(fd.get(), directory.native());
}

std::string read_text_file(const std::filesystem::path& path, std::uint64_t limit) {
  const Fd fd = open_regular(path);
  std::string text;
  std::vector<std::byte> buffer(1 << 16);
  while (const std::size_t n = read_some(fd.get(), buffer, path.native())) {
    if (text.size() + n > limit) {
      throw Error(Kind::kUnsafe, path.native() + " is larger than " + std::to_string(limit) + " bytes");
    }
    text.append(reinterpret_cast<const char*>(buffer.data()), n);
  }
  return text;
}

namespace {

void stream_with_holes(int from, int to, std::uint64_t size, const std::filesystem::path& source,
                       const std::filesystem::path& target) {
  std::uint64_t at = 0;
  while (const std::optional<DataRun> run = next_data(from, source.native(), at, size)) {
    if (::lseek(to, static_cast<off_t>(run->begin), SEEK_SET) < 0)
      throw system_error(errno, "cannot seek in", target.native());
    const auto write = [&](std::span<const std::byte> data) { write_all(to, data, target.native()); };
    if (read_range(from, source.native(), run->begin, run->size(), write) != run->size())
      throw Error(Kind::kIo, source.native() + " became shorter while it was copied");
    at = run->end;
  }
  if (::ftruncate(to, static_cast<off_t>(size)) != 0)
    throw system_error(errno, "cannot size", target.native());
}

}  // namespace

void clone_file(const std::filesystem::path& source, const std::filesystem::path& target, unsigned mode) {
  const Fd from = open_regular(source);
  NewFile to(target, mode);
  if (::ioctl(to.fd(), FICLONE, from.get()) != 0) {
    stream_with_holes(from.get(), to.fd(), file_size(from.get(), source.native()), source, target);
  }
  to.commit();
}

}  // namespace imgforge::core
