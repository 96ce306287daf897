#include "builder/target/early/device.hpp"

#include <linux/fs.h>

#include "builder/target/runtime/system_calls.hpp"
#include "builder/target/runtime/text.hpp"

namespace imgforge::target {

Device::Device(const char* path, Access access)
    : path_(path),
      fd_(static_cast<int>(
          check(sys_open(path, access == Access::kRead ? kReadOnly : kReadWrite), "cannot open ", path))) {
  FileStatus status{};
  check(sys_fstat(fd_, status), "cannot examine ", path);
  if ((status.mode & kTypeMask) == kBlockDevice) {
    kind_ = DeviceKind::kBlock;
    number_ = status.special_device;
    check(sys_ioctl(fd_, BLKGETSIZE64, &size_), "cannot measure ", path);
  } else if ((status.mode & kTypeMask) == kRegularFile) {
    size_ = static_cast<std::uint64_t>(status.size);
  } else {
    fail(path, " is neither a block device nor a file");
  }
}

unsigned Device::sector_size() const {
  int size = 512;
  if (kind_ == DeviceKind::kBlock) check(sys_ioctl(fd_, BLKSSZGET, &size), "cannot measure ", path_);
  return static_cast<unsigned>(size);
}

void Device::read(void* target, std::size_t size, std::uint64_t offset) const {
  auto* to = static_cast<unsigned char*>(target);
  while (size > 0) {
    const long count = check(sys_pread(fd_, to, size, offset), "cannot read ", path_);
    if (count == 0) fail(path_, " ends at byte ", offset);
    to += count;
    size -= static_cast<std::size_t>(count);
    offset += static_cast<std::uint64_t>(count);
  }
}

void Device::write(const void* source, std::size_t size, std::uint64_t offset) const {
  auto* from = static_cast<const unsigned char*>(source);
  while (size > 0) {
    const long count = check(sys_pwrite(fd_, from, size, offset), "cannot write ", path_);
    if (count == 0) fail("cannot write ", path_);
    from += count;
    size -= static_cast<std::size_t>(count);
    offset += static_cast<std::uint64_t>(count);
  }
}

void Device::sync() const {
  check(sys_fsync(fd_), "cannot write ", path_);
}

}  // namespace imgforge::target
