// Looking into a disk of somebody else: mounted read-only in the appliance, whose kernel alone reads its file
// system.
#include <fmt/format.h>

#include <algorithm>

#include "builder/guest/appliance/appliance.hpp"
#include "builder/guest/appliance/guest.hpp"

namespace imgforge::guest {
namespace {

constexpr std::string_view kInspectedDevice = "/dev/sdc";

}  // namespace

void Guest::mount_inspected(unsigned partition, std::string_view type) {
  const std::string device =
      fmt::format("{}{}", kInspectedDevice, partition == 0 ? "" : std::to_string(partition));
  const std::string folder(kInspected);
  const std::string options = type == "ext4" ? "ro,noload,nodev,nosuid,noexec" : "ro,nodev,nosuid,noexec";
  const std::string name(type);
  appliance_->call("mounting the disk to look into", [&](guestfs_h* handle) {
    if (guestfs_mkdir_p(handle, folder.c_str()) < 0) return -1;
    return guestfs_mount_vfs(handle, options.c_str(), name.c_str(), device.c_str(), folder.c_str());
  });
}

std::vector<std::string> Guest::list(std::string_view folder) {
  const std::string name(folder);
  const int exists = appliance_->call("looking for " + name, [&](guestfs_h* handle) {
    return guestfs_is_dir_opts(handle, name.c_str(), GUESTFS_IS_DIR_OPTS_FOLLOWSYMLINKS, 1, -1);
  });
  if (exists == 0) return {};
  char** rows = appliance_->call("listing " + name,
                                 [&](guestfs_h* handle) { return guestfs_ls(handle, name.c_str()); });
  std::vector<std::string> names;
  for (char** row = rows; *row != nullptr; ++row) {
    names.emplace_back(*row);
    std::free(*row);
  }
  std::free(rows);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace imgforge::guest
