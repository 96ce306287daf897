#include "core/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "core/error.hpp"
#include "core/random.hpp"

namespace imgforge::core {
namespace {

std::filesystem::path temporary_beside(const std::filesystem::path& target) {
  return target.parent_path() /
         ("." + target.filename().string() + "." + std::to_string(::getpid()) + "." + random_hex(4));
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target, unsigned mode)
    : target_(std::move(target)), temporary_(temporary_beside(target_)) {
  fd_ = open_file(temporary_, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
}

AtomicFile::~AtomicFile() {
  if (fd_) ::unlink(temporary_.c_str());
}

void AtomicFile::commit() {
  sync_fd(fd_.get(), target_.native());
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    throw system_error(errno, "cannot create", target_.native());
  }
  // From here on the file is in place; the destructor must not unlink anything.
  fd_.close(target_.native());
  sync_directory(folder_of(target_));
}

void write_file_atomically(const std::filesystem::path& target, std::string_view text, unsigned mode) {
  AtomicFile file(target, mode);
  file.write(text);
  file.commit();
}

void replace_symlink(const std::filesystem::path& link, const std::filesystem::path& destination) {
  const std::filesystem::path temporary = temporary_beside(link);
  if (::symlink(destination.c_str(), temporary.c_str()) != 0) {
    throw system_error(errno, "cannot create link", link.native());
  }
  if (::rename(temporary.c_str(), link.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    throw system_error(error, "cannot replace link", link.native());
  }
  sync_directory(folder_of(link));
}

}  // namespace imgforge::core
