#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "builder/guest/namespaces/common/tree.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

using artifacts::EntryType;
using artifacts::TarEntry;

core::Error unsafe(const TarEntry& entry, std::string_view why) {
  return {core::Kind::kUnsafe, fmt::format("{}: {}", core::escaped(entry.path, 200), why)};
}

class Unpacker {
 public:
  explicit Unpacker(int archive) : reader_(archive, "the archive", policy()) {}

  void run() {
    TarEntry entry;
    while (reader_.next(entry)) make(entry);
    // What was put into a folder has changed its time.
    for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder) set_attributes(*folder);
  }

 private:
  static artifacts::TarPolicy policy() {
    artifacts::TarPolicy policy;
    policy.devices = artifacts::Devices::kAllow;
    return policy;
  }

  void make(const TarEntry& entry) {
    if (entry.type == EntryType::kDirectory) {
      make_folder(entry);
      folders_.push_back(entry);
      return;
    }
    if (entry.type == EntryType::kCharDevice || entry.type == EntryType::kBlockDevice) {
      if (!entry.path.starts_with("dev/")) throw unsafe(entry, "devices cannot be made in a user namespace");
      return;
    }
    if (make_other(entry)) return;
    if (errno == ENOENT) make_parents(entry.path);
    if (errno == EEXIST || errno == ENOENT || errno == ETXTBSY) remove_old(entry);
    if (!make_other(entry)) throw failure(entry, "cannot make");
  }

  /// False with errno when the system call failed.
  bool make_other(const TarEntry& entry) {
    const char* path = entry.path.c_str();
    switch (entry.type) {
      case EntryType::kFile:
        return make_file(entry);
      case EntryType::kSymlink:
        if (::symlink(entry.link_target.c_str(), path) != 0) return false;
        break;
      case EntryType::kHardlink:
        return ::link(entry.link_target.c_str(), path) == 0;
      default:
        if (::mkfifo(path, 0600) != 0) return false;
    }
    set_attributes(entry);
    return true;
  }

  bool make_file(const TarEntry& entry) {
    core::Fd fd(::open(entry.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return false;
    while (const std::size_t n = reader_.read(buffer_)) {
      core::write_all(fd.get(), std::span<const std::byte>(buffer_).first(n), entry.path);
    }
    fd.close(entry.path);
    set_attributes(entry);
    return true;
  }

  void make_folder(const TarEntry& entry) {
    const char* path = entry.path.c_str();
    if (entry.path == "." || ::mkdir(path, 0700) == 0) return;
    if (errno == ENOENT) make_parents(entry.path);
    struct stat status {};
    if (::lstat(path, &status) == 0) {
      if (S_ISDIR(status.st_mode)) return;
      ::unlink(path);
    }
    if (::mkdir(path, 0700) != 0) throw failure(entry, "cannot make the folder");
  }

  static void make_parents(const std::string& path) {
    for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      ::mkdir(path.substr(0, at).c_str(), 0755);
    }
    errno = ENOENT;
  }

  static void remove_old(const TarEntry& entry) {
    if (::unlink(entry.path.c_str()) != 0 && errno == EISDIR) ::rmdir(entry.path.c_str());
  }

  static void set_attributes(const TarEntry& entry) {
    const char* path = entry.path.c_str();
    if (::lchown(path, entry.uid, entry.gid) != 0) {
      if (errno == EINVAL) throw unsafe(entry, "its owner is beyond the 65536 ids of a user namespace");
      throw failure(entry, "cannot change the owner of");
    }
    // Later than the owner: changing that takes set-id bits away.
    if (entry.type != EntryType::kSymlink && ::chmod(path, entry.mode & 07777U) != 0) {
      throw failure(entry, "cannot change the mode of");
    }
    for (const auto& [name, value] : entry.xattrs) {
      if (::lsetxattr(path, name.c_str(), value.data(), value.size(), 0) != 0)
        throw failure(entry, "cannot set the attribute " + core::escaped(name, 60) + " of");
    }
    const std::array<timespec, 2> times{timespec{0, UTIME_NOW}, timespec{entry.mtime, 0}};
    if (::utimensat(AT_FDCWD, path, times.data(), AT_SYMLINK_NOFOLLOW) != 0) {
      throw failure(entry, "cannot set the time of");
    }
  }

  static core::Error failure(const TarEntry& entry, std::string_view action) {
    return core::system_error(errno, action, core::escaped(entry.path, 200));
  }

  artifacts::TarReader reader_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(1 << 18);
  std::vector<TarEntry> folders_;
};

}  // namespace

void unpack(int archive) {
  Unpacker(archive).run();
}

}  // namespace imgforge::guest
