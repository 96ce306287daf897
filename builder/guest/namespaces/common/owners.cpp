#include "builder/guest/namespaces/common/owners.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstring>

namespace imgforge::guest {
namespace {

constexpr std::size_t kMost = std::size_t{1} << 20;

/// Tells a file from a later one with the same inode number: the handle that a file server would give to its
/// clients, with the generation of the inode, or, where the file system has none, the time of birth.
std::string identity_of(int folder, const char* path) {
  alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> buffer{};
  auto* handle = reinterpret_cast<file_handle*>(buffer.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (::name_to_handle_at(folder, path, handle, &mount, AT_EMPTY_PATH) == 0) {
    return {buffer.data(), sizeof(file_handle) + handle->handle_bytes};
  }
  struct statx status {};
  ::statx(folder, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BTIME, &status);
  return {reinterpret_cast<const char*>(&status.stx_btime), sizeof status.stx_btime};
}

}  // namespace

bool Owners::record(int file, std::uint32_t uid, std::uint32_t gid) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return false;
  const std::pair key{status.st_dev, status.st_ino};
  const Owner before = find(file, "").value_or(Owner{});
  const Owner owner{uid == kUnchanged ? before.uid : uid, gid == kUnchanged ? before.gid : gid};
  if (owner == Owner{}) {
    records_.erase(key);
    return true;
  }
  if (records_.size() >= kMost && !records_.contains(key)) return false;
  has_groups_ = has_groups_ || (S_ISDIR(status.st_mode) && owner.gid != 0);
  records_[key] = {identity_of(file, ""), owner};
  return true;
}

std::optional<Owner> Owners::find(int folder, const char* path) const {
  struct stat status {};
  if (records_.empty() || ::fstatat(folder, path, &status, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0) {
    return std::nullopt;
  }
  const auto found = records_.find({status.st_dev, status.st_ino});
  if (found == records_.end() || found->second.identity != identity_of(folder, path)) return std::nullopt;
  return found->second.owner;
}

}  // namespace imgforge::guest
