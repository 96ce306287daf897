#include "builder/guest/namespaces/inside/new_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace imgforge::guest {
namespace {

/// Calls at a time that have not come back; who makes more loses the first.
constexpr std::size_t kMost = 256;

}  // namespace

void NewFiles::expect(pid_t maker, core::Fd folder, const std::string& name, const Owners& owners) {
  struct stat status {};
  const std::optional<Owner> owner = owners.find(folder.get(), "");
  if (!owner || owner->gid == 0) return;
  if (::fstat(folder.get(), &status) != 0 || (status.st_mode & S_ISGID) == 0) return;
  if (::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return;
  if (expected_.size() == kMost) expected_.erase(expected_.begin());
  expected_.push_back({maker, std::move(folder), name, owner->gid});
}

void NewFiles::settle(pid_t maker, Owners& owners) {
  std::erase_if(expected_, [&](const Expected& expected) {
    const core::Fd file(
        ::openat(expected.folder.get(), expected.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!file) return maker == 0 || expected.maker == maker;
    if (!owners.find(file.get(), "")) owners.record(file.get(), Owners::kUnchanged, expected.group);
    return true;
  });
}

}  // namespace imgforge::guest
