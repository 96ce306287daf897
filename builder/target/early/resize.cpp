// early resize: a mounted ext4 file system takes the size of its device.
#include <linux/ioctl.h>
#include <linux/types.h>

#include "builder/target/early/commands.hpp"
#include "builder/target/early/device.hpp"
#include "builder/target/runtime/system_calls.hpp"
#include "builder/target/runtime/text.hpp"

namespace imgforge::target {
namespace {

/// The kernel's fs/ext4/ext4.h: the argument is the wanted number of file system blocks.
constexpr unsigned long kResizeFileSystem = _IOW('f', 16, __u64);
constexpr std::uint64_t kSuperblockOffset = 1024;
constexpr std::uint16_t kMagic = 0xEF53;
constexpr std::uint32_t kIncompat64Bit = 0x80;

/// The fields of the ext4 superblock that tell its size (kernel documentation, filesystems/ext4/super.rst).
struct Superblock {
  std::uint32_t inodes;
  std::uint32_t blocks_low;
  std::uint32_t unused_1[4];
  std::uint32_t log_block_size;  ///< 2^(10 + this) bytes
  std::uint32_t unused_2[7];
  std::uint16_t magic;
  std::uint16_t state;
  std::uint32_t unused_3[9];
  std::uint32_t incompatible_features;
  std::uint32_t unused_4[59];
  std::uint32_t blocks_high;
};
static_assert(__builtin_offsetof(Superblock, log_block_size) == 0x18);
static_assert(__builtin_offsetof(Superblock, magic) == 0x38);
static_assert(__builtin_offsetof(Superblock, incompatible_features) == 0x60);
static_assert(__builtin_offsetof(Superblock, blocks_high) == 0x150);

}  // namespace

void resize(const char* mount_point, const char* device_path) {
  const Device device(device_path, Access::kRead);
  const int folder = static_cast<int>(check(sys_open(mount_point, kReadOnly), "cannot open ", mount_point));
  FileStatus status{};
  check(sys_fstat(folder, status), "cannot examine ", mount_point);
  if (device.kind() != DeviceKind::kBlock || status.device != device.number()) {
    fail(device_path, " is not mounted on ", mount_point);
  }
  Superblock superblock{};
  device.read(&superblock, sizeof superblock, kSuperblockOffset);
  if (superblock.magic != kMagic || superblock.log_block_size > 6) {
    fail(device_path, " holds no ext4 file system");
  }
  std::uint64_t blocks = superblock.blocks_low;
  if ((superblock.incompatible_features & kIncompat64Bit) != 0) {
    blocks |= std::uint64_t{superblock.blocks_high} << 32;
  }
  const std::uint64_t wanted = device.size() >> (10 + superblock.log_block_size);
  if (wanted == blocks) return;
  if (wanted < blocks) fail(device_path, " is smaller than the file system in it");
  const __u64 argument = wanted;
  check(sys_ioctl(folder, kResizeFileSystem, &argument), "cannot enlarge the file system on ", mount_point);
}

}  // namespace imgforge::target
