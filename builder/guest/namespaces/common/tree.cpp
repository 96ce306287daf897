#include "builder/guest/namespaces/common/tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"

namespace imgforge::guest {
namespace {

/// Of folders in each other; a file descriptor each. Archives may have fewer.
constexpr unsigned kDepth = 200;

using Folder = core::Handle<&::closedir, DIR>;

/// Names in a folder, "." and ".." aside. `fd` stays as it was.
std::vector<std::string> names_in(int fd) {
  std::vector<std::string> names;
  const int copy = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const Folder folder(copy < 0 ? nullptr : ::fdopendir(copy));
  if (!folder) return names;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

core::Fd open_folder(int parent, const std::string& name) {
  return core::Fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

void add_usage(int folder, dev_t device, unsigned depth, Usage& usage) {
  for (const std::string& name : names_in(folder)) {
    struct stat status {};
    if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (status.st_dev != device) continue;
    ++usage.files;
    // A file with several names counts once, in parts.
    usage.bytes.value += static_cast<std::uint64_t>(status.st_blocks) * 512 /
                         (S_ISDIR(status.st_mode) ? 1 : std::max<std::uint64_t>(status.st_nlink, 1));
    if (!S_ISDIR(status.st_mode)) continue;
    if (depth == kDepth) {
      throw core::Error(core::Kind::kUnsafe, "the root file system has folders more than 200 deep");
    }
    if (const core::Fd inner = open_folder(folder, name)) add_usage(inner.get(), device, depth + 1, usage);
  }
}

/// Removes what is in `folder`. What lies deeper than `depth` more folders is moved to the top, for the next
/// round.
void remove_within(int top, int folder, unsigned depth, unsigned& moved) {
  for (const std::string& name : names_in(folder)) {
    if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) continue;
    if (depth == 0) {
      ::renameat(folder, name.c_str(), top, fmt::format(".deep.{}", moved++).c_str());
      continue;
    }
    if (const core::Fd inner = open_folder(folder, name)) remove_within(top, inner.get(), depth - 1, moved);
    ::unlinkat(folder, name.c_str(), AT_REMOVEDIR);
  }
}

}  // namespace

Usage measure(int folder) {
  struct stat status {};
  if (::fstat(folder, &status) != 0)
    throw core::system_error(errno, "cannot look at", "the root file system");
  Usage usage;
  add_usage(folder, status.st_dev, 0, usage);
  return usage;
}

void empty_folder(int folder) noexcept {
  try {
    unsigned moved = 0;
    for (unsigned before = moved + 1; before != moved;) {
      before = moved;
      remove_within(folder, folder, kDepth, moved);
    }
  } catch (const std::exception&) {
    // Not even memory for names: the next run removes the folder.
  }
}

}  // namespace imgforge::guest
