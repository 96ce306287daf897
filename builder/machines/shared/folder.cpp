#include "builder/machines/shared/folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/file_bytes.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Kind;

constexpr std::uint64_t kPiece = 64 << 10;

core::Fd open_beneath(int folder, const char* name, int flags, unsigned mode = 0) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC | O_NOFOLLOW;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return core::Fd(static_cast<int>(::syscall(SYS_openat2, folder, name, &how, sizeof how)));
}

struct stat examine(int fd, const char* name) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw core::system_error(errno, "cannot examine", name);
  return status;
}

Error no_plain_file(const char* name, const char* what) {
  return std::move(
      Error(Kind::kUnsafe, fmt::format("{} in the shared folder is {}, not a plain file", name, what))
          .hint("whoever can write into the folder put it there: remove it"));
}

void refuse_all_but_files(const struct stat& status, const char* name) {
  if (S_ISLNK(status.st_mode)) throw no_plain_file(name, "a link");
  if (S_ISFIFO(status.st_mode)) throw no_plain_file(name, "a FIFO");
  if (S_ISDIR(status.st_mode)) throw no_plain_file(name, "a folder");
  if (!S_ISREG(status.st_mode)) throw no_plain_file(name, "a device or socket");
  if (status.st_nlink > 1) throw no_plain_file(name, "a file that has another name, too");
}

/// The file itself, not yet opened for anything; nothing when there is none.
std::optional<core::Fd> find(int folder, const char* name) {
  core::Fd fd = open_beneath(folder, name, O_PATH);
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd && errno == ELOOP) throw no_plain_file(name, "a link");
  if (!fd) throw core::system_error(errno, "cannot open", name);
  refuse_all_but_files(examine(fd.get(), name), name);
  return fd;
}

/// Opens what `find` found, and nothing that came to its name since.
core::Fd reopen(const core::Fd& found, const char* name, int flags) {
  const std::string path = fmt::format("/proc/self/fd/{}", found.get());
  core::Fd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) throw core::system_error(errno, "cannot open", name);
  return fd;
}

bool is_same(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

}  // namespace

SharedFolder::SharedFolder(const std::filesystem::path& folder)
    : fd_(core::open_file(folder, O_PATH | O_DIRECTORY)) {}

std::optional<core::Fd> SharedFolder::open(const char* name) const {
  const std::optional<core::Fd> found = find(fd_.get(), name);
  if (!found) return std::nullopt;
  return reopen(*found, name, O_RDONLY);
}

void SharedFolder::append(const char* name, const std::string& line, std::uint64_t largest) const {
  std::optional<core::Fd> found = find(fd_.get(), name);
  if (found && static_cast<std::uint64_t>(examine(found->get(), name).st_size) > largest) {
    const std::string before = fmt::format("{}.1", name);
    if (::renameat(fd_.get(), name, fd_.get(), before.c_str()) != 0)
      throw core::system_error(errno, "cannot rename", name);
    found.reset();
  }
  core::Fd fd;
  if (found) {
    fd = reopen(*found, name, O_WRONLY | O_APPEND);
  } else {
    fd = open_beneath(fd_.get(), name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0644);
    if (!fd) throw core::system_error(errno, "cannot create", name);
  }
  const std::string text = line + "\n";
  const ssize_t written = ::write(fd.get(), text.data(), text.size());
  if (written < 0) throw core::system_error(errno, "cannot write", name);
  if (static_cast<std::size_t>(written) != text.size())
    throw Error(Kind::kIo, fmt::format("{} took only a part of a line", name));
  fd.close(name);
}

std::optional<std::int64_t> SharedFolder::written(const char* name) const {
  struct stat status {};
  if (::fstatat(fd_.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
    return std::nullopt;
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

Follower::Follower(const SharedFolder& folder, From from) : folder_(folder) {
  if (!turn_to_newer() || from == From::kBeginning) return;
  at_ = core::file_size(fd_.get(), kReportFile);
}

bool Follower::turn_to_newer() {
  std::optional<core::Fd> newer = folder_.open(kReportFile);
  if (!newer) return false;
  if (fd_ && is_same(examine(fd_.get(), kReportFile), examine(newer->get(), kReportFile))) return false;
  fd_ = std::move(*newer);
  at_ = 0;
  return true;
}

std::string Follower::read() {
  if (!fd_ && !turn_to_newer()) return {};
  std::uint64_t size = core::file_size(fd_.get(), kReportFile);
  if (size < at_) at_ = 0;  // it was cut
  if (size == at_) {
    if (!turn_to_newer()) return {};
    size = core::file_size(fd_.get(), kReportFile);
  }
  if (size - at_ > kMostBehind) {
    passed_over_ += size - at_ - kMostBehind;
    at_ = size - kMostBehind;
  }
  std::string piece(std::min(size - at_, kPiece), '\0');
  piece.resize(core::read_at(fd_.get(), kReportFile, at_, std::as_writable_bytes(std::span(piece))));
  at_ += piece.size();
  return piece;
}

std::uint64_t Follower::passed_over() {
  return std::exchange(passed_over_, 0);
}

}  // namespace imgforge::machines
