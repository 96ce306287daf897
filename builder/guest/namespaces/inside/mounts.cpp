#include "builder/guest/namespaces/inside/mounts.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "builder/guest/namespaces/common/steps.hpp"
#include "builder/guest/namespaces/inside/disk_watch.hpp"
#include "builder/guest/sandbox.hpp"

namespace imgforge::guest {
namespace {

constexpr std::array kDevices{"null", "zero", "full", "random", "urandom", "tty"};

using MountOptions = std::vector<std::pair<const char*, std::string>>;

/// A mount of a new file system that is not attached yet.
core::Fd new_mount(const char* type, unsigned attributes, Step step, const MountOptions& options = {}) {
  const core::Fd context(require(::fsopen(type, FSOPEN_CLOEXEC), step));
  for (const auto& [key, value] : options)
    require(::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0), step);
  require(::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), step);
  return core::Fd(require(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes), step));
}

/// In a folder that all may write to, the kernel guards the devices of others against being opened by ">".
const MountOptions kNotForAll{{"mode", "0755"}};

/// An empty root file system in memory; none where it would lack what packages may hold. What it takes is
/// watched (disk_watch): it is larger than it may become, so that the watch finds that and not a script.
core::Fd root_in_memory(core::Bytes disk) {
  MountOptions options = kNotForAll;
  options.emplace_back("size", std::to_string(disk.value));
  options.emplace_back("nr_inodes", std::to_string(disk.value / kBytesPerFile));
  core::Fd root = new_mount("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, Step::kMountRoot, options);
  constexpr const char* kName = "user.imgforge";
  const core::Fd readable(::openat(root.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!readable || ::fsetxattr(readable.get(), kName, "1", 1, 0) != 0) return {};
  ::fremovexattr(readable.get(), kName);
  return root;
}

/// Another mount of a folder or file, not attached yet.
core::Fd clone_mount(const char* path, std::uint64_t attributes, Step step, unsigned flags = 0) {
  core::Fd fd(require(::open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags), step));
  mount_attr attr{};
  attr.attr_set = attributes;
  if (attributes != 0) require(::mount_setattr(fd.get(), "", AT_EMPTY_PATH, &attr, sizeof attr), step);
  return fd;
}

void attach(const core::Fd& mount, int folder, const char* name, Step step) {
  require(::move_mount(mount.get(), "", folder, name, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
          step);
}

void make_folder(int parent, const char* name) {
  require(::mkdirat(parent, name, 0755), Step::kMountTmpfs);
}

void make_link(int folder, const char* name, const char* target) {
  require(::symlinkat(target, folder, name), Step::kMountTmpfs);
}

/// The current folder, which is a mount, becomes the root, and the root before goes away.
void pivot_here() {
  require(::syscall(SYS_pivot_root, ".", "."), Step::kPivot);
  require(::umount2(".", MNT_DETACH), Step::kPivot);
  require(::chdir("/"), Step::kPivot);
}

/// The six devices of the host, and links as on any system.
void make_devices(int stage) {
  constexpr Step step = Step::kMountTmpfs;
  const core::Fd dev = new_mount("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, step, kNotForAll);
  make_folder(stage, "dev");
  attach(dev, stage, "dev", step);
  for (const char* name : kDevices) {
    core::Fd(require(::openat(dev.get(), name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), step));
    const std::string device = std::string("/dev/") + name;
    attach(clone_mount(device.c_str(), 0, step), dev.get(), name, step);
  }
  make_link(dev.get(), "fd", "/proc/self/fd");
  make_link(dev.get(), "stdin", "/proc/self/fd/0");
  make_link(dev.get(), "stdout", "/proc/self/fd/1");
  make_link(dev.get(), "stderr", "/proc/self/fd/2");
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_RDONLY;
  require(::mount_setattr(dev.get(), "", AT_EMPTY_PATH, &attr, sizeof attr), step);
}

/// Attaches to a folder of the root file system, which belongs to strangers: through no link, and not at all
/// where there is none.
void attach_in_root(const core::Fd& mount, const char* name, Step step) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const core::Fd folder(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof how)));
  if (folder) attach(mount, folder.get(), "", step);
}

}  // namespace

StageParts take_parts(const std::filesystem::path& root, const std::filesystem::path& incoming) {
  constexpr Step step = Step::kMountRoot;
  require(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), step);
  StageParts parts;
  parts.root = clone_mount(root.c_str(), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, step);
  parts.incoming =
      clone_mount(incoming.c_str(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, step);
  return parts;
}

void enter_stage(const StageParts& parts, RootLimits& limits) {
  const core::Fd stage =
      new_mount("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, Step::kMountTmpfs, kNotForAll);
  attach(stage, AT_FDCWD, "", Step::kMountTmpfs);
  for (const char* name : {"root", "incoming", "proc"}) make_folder(stage.get(), name);
  core::Fd memory;
  if (limits.memory.value != 0) memory = root_in_memory(limits.disk);
  if (!memory) limits.memory = {};
  attach(memory ? memory : parts.root, stage.get(), "root", Step::kMountRoot);
  attach(parts.incoming, stage.get(), "incoming", Step::kMountRoot);
  make_devices(stage.get());
  // The kernel lets a script mount its /proc only where another whole one is to be seen.
  constexpr unsigned kPlain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  attach(new_mount("proc", kPlain, Step::kMountProc), stage.get(), "proc", Step::kMountProc);
  require(::fchdir(stage.get()), Step::kPivot);
  pivot_here();
}

void enter_root(const std::string& media) {
  constexpr unsigned kPlain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const core::Fd proc = new_mount("proc", kPlain | MOUNT_ATTR_RDONLY, Step::kMountProc);
  const core::Fd dev = clone_mount("/dev", 0, Step::kMountTmpfs, AT_RECURSIVE);
  core::Fd shown;
  if (!media.empty()) {
    shown = clone_mount((std::string(kStageIncoming) + "/" + media).c_str(), 0, Step::kMountRoot);
  }
  require(::chdir(kStageRoot), Step::kPivot);
  pivot_here();
  attach_in_root(proc, "proc", Step::kMountProc);
  attach_in_root(dev, "dev", Step::kMountTmpfs);
  if (!shown) return;
  const std::string folder(Sandbox::kMedia);
  ::mkdir(std::string(Sandbox::kPrivate).c_str(), 0755);
  ::mkdir(folder.c_str(), 0755);
  attach_in_root(shown, folder.c_str() + 1, Step::kMountRoot);
}

}  // namespace imgforge::guest
