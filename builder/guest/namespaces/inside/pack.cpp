#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <utility>
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

constexpr unsigned kDepth = 200;

core::Error failure(const std::string& path) {
  return core::system_error(errno, "cannot read", core::escaped(path, 200));
}

EntryType type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return EntryType::kDirectory;
    case S_IFLNK:
      return EntryType::kSymlink;
    case S_IFCHR:
      return EntryType::kCharDevice;
    case S_IFBLK:
      return EntryType::kBlockDevice;
    case S_IFIFO:
      return EntryType::kFifo;
    default:
      return EntryType::kFile;
  }
}

std::string link_target(const std::string& path) {
  std::array<char, 4096> buffer;
  const ssize_t size = ::readlink(path.c_str(), buffer.data(), buffer.size());
  if (size < 0) throw failure(path);
  return {buffer.data(), static_cast<std::size_t>(size)};
}

/// GNU tar keeps access lists and labels apart from these.
bool is_stored(std::string_view attribute) {
  return !attribute.starts_with("system.posix_acl_") && attribute != "security.selinux";
}

std::string attribute_of(const std::string& path, const char* name) {
  std::string value(std::size_t{64} << 10, '\0');
  const ssize_t size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
  if (size < 0) throw failure(path);
  value.resize(static_cast<std::size_t>(size));
  return value;
}

/// File capabilities are read inside the namespace: from outside they have another version, which belongs to
/// the ids of this machine.
std::map<std::string, std::string> attributes_of(const std::string& path) {
  std::map<std::string, std::string> attributes;
  std::array<char, 65536> names;
  const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  if (size < 0 && errno != ENOTSUP) throw failure(path);
  for (const char* name = names.data(); name < names.data() + size;
       name += std::string_view(name).size() + 1) {
    if (is_stored(name)) attributes.emplace(name, attribute_of(path, name));
  }
  return attributes;
}

class Packer {
 public:
  Packer(int target, const std::vector<std::string>& excludes, const Owners& owners)
      : writer_(target, "root file system"), excludes_(excludes), owners_(owners) {}

  void run() {
    store(".");
    folder("", 0);
    writer_.finish();
  }

 private:
  bool is_excluded(const std::string& path) const {
    const std::string name = "./" + path;
    return std::any_of(excludes_.begin(), excludes_.end(), [&](const std::string& pattern) {
      return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
    });
  }

  void folder(const std::string& path, unsigned depth) {
    if (depth > kDepth) {
      throw core::Error(core::Kind::kUnsafe, "the root file system has folders more than 200 deep");
    }
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path.empty() ? "." : path)) {
      names.push_back(entry.path().filename().native());
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      const std::string inner = path.empty() ? name : path + "/" + name;
      if (!is_excluded(inner) && store(inner)) folder(inner, depth + 1);
    }
  }

  /// True for a folder.
  bool store(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) throw failure(path);
    if (S_ISSOCK(status.st_mode)) return false;
    TarEntry entry = describe(path, status);
    if (entry.type == EntryType::kFile && status.st_nlink > 1) link_to_first(entry, status);
    if (entry.type == EntryType::kFile) {
      store_file(entry);
    } else {
      writer_.begin(entry);
    }
    return entry.type == EntryType::kDirectory;
  }

  TarEntry describe(const std::string& path, const struct stat& status) const {
    TarEntry entry;
    entry.path = path;
    entry.type = type_of(status.st_mode);
    entry.mode = status.st_mode & 07777U;
    const Owner owner = owners_.find(AT_FDCWD, path.c_str()).value_or(Owner{status.st_uid, status.st_gid});
    entry.uid = owner.uid;
    entry.gid = owner.gid;
    entry.mtime = status.st_mtim.tv_sec;
    entry.xattrs = attributes_of(path);
    if (entry.type == EntryType::kFile) entry.size = static_cast<std::uint64_t>(status.st_size);
    if (entry.type == EntryType::kSymlink) entry.link_target = link_target(path);
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
      entry.device_major = major(status.st_rdev);
      entry.device_minor = minor(status.st_rdev);
    }
    return entry;
  }

  void link_to_first(TarEntry& entry, const struct stat& status) {
    const auto [first, is_new] = linked_.try_emplace({status.st_dev, status.st_ino}, entry.path);
    if (is_new) return;
    entry.type = EntryType::kHardlink;
    entry.link_target = first->second;
    entry.size = 0;
    entry.xattrs.clear();
  }

  void store_file(const TarEntry& entry) {
    const core::Fd fd(::open(entry.path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd) throw failure(entry.path);
    writer_.begin(entry);
    for (std::uint64_t left = entry.size; left > 0;) {
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size()));
      const std::size_t n = core::read_some(fd.get(), std::span(buffer_).first(want), entry.path);
      if (n == 0) throw core::Error(core::Kind::kImage, core::escaped(entry.path) + " has become shorter");
      writer_.write(std::span<const std::byte>(buffer_).first(n));
      left -= n;
    }
  }

  artifacts::TarWriter writer_;
  const std::vector<std::string>& excludes_;
  const Owners& owners_;
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(1 << 18);
};

}  // namespace

void pack(int target, const std::vector<std::string>& excludes, const Owners& owners) {
  Packer(target, excludes, owners).run();
}

}  // namespace imgforge::guest
