// early verity: opens a dm-verity device.
#include "builder/target/early/commands.hpp"
#include "builder/target/early/device.hpp"
#include "builder/target/early/device_mapper.hpp"
#include "builder/target/early/verity_format.hpp"
#include "builder/target/runtime/system_calls.hpp"
#include "builder/target/runtime/text.hpp"

namespace imgforge::target {
namespace {

constexpr unsigned char kSignature[8] = {'v', 'e', 'r', 'i', 't', 'y', 0, 0};
constexpr std::size_t kLongestName = 64;

void check_name(const char* name) {
  const std::size_t length = length_of(name);
  bool plain = length > 0 && length <= kLongestName;
  for (std::size_t i = 0; i < length && plain; ++i) {
    const char c = name[i];
    plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  }
  if (!plain) fail("a device name is 1 to 64 letters, digits, - and _");
}

bool is_block_size(std::uint32_t size) {
  return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

/// The superblock is not signed: what it may choose is kept small. The root hash decides the rest.
void check_superblock(const VeritySuperblock& superblock, const Device& data, const Device& hash,
                      const char* root_hash) {
  if (__builtin_memcmp(superblock.signature, kSignature, sizeof kSignature) != 0) {
    fail(hash.path(), " holds no verity superblock");
  }
  if (superblock.version != 1 || superblock.hash_type != 1) {
    fail(hash.path(), ": unknown version of the verity superblock");
  }
  const bool sha256 = __builtin_memcmp(superblock.algorithm, "sha256", 7) == 0;
  if (!sha256 && __builtin_memcmp(superblock.algorithm, "sha512", 7) != 0) {
    fail(hash.path(), ": the hash tree is made with neither sha256 nor sha512");
  }
  if (!is_hex(root_hash) || length_of(root_hash) != (sha256 ? 64U : 128U)) {
    fail("the root hash is not ", sha256 ? "64" : "128", " hexadecimal digits");
  }
  if (!is_block_size(superblock.data_block_size) || !is_block_size(superblock.hash_block_size) ||
      superblock.salt_size > sizeof superblock.salt || superblock.data_blocks == 0) {
    fail(hash.path(), ": the verity superblock is damaged");
  }
  if (superblock.data_blocks > data.size() / superblock.data_block_size) {
    fail(data.path(), " is smaller than its hash tree says");
  }
}

/// Parameters of the kernel's target "verity" (admin-guide/device-mapper/verity.rst), version 1.
void add_parameters(Text& text, const VeritySuperblock& superblock, const Device& data, const Device& hash,
                    const char* root_hash) {
  constexpr std::uint64_t kTreeStart = 1;  // in hash blocks: the superblock takes the first one
  text.add("1 ").add(data.path()).add(" ").add(hash.path());
  text.add(" ").add(superblock.data_block_size).add(" ").add(superblock.hash_block_size);
  text.add(" ").add(superblock.data_blocks).add(" ").add(kTreeStart);
  text.add(" ").add(superblock.algorithm).add(" ").add(root_hash).add(" ");
  if (superblock.salt_size == 0) {
    text.add("-");
  } else {
    text.add_hex(superblock.salt, superblock.salt_size);
  }
}

/// The kernel compares with the root hash when a block is read, so one is.
void check_first_block(const char* name, const char* data_device) {
  const Text path = Text().add("/dev/mapper/").add(name);
  const long fd = sys_open(path.c_str(), kReadOnly);
  static unsigned char block[4096];
  const long count = fd < 0 ? fd : sys_pread(static_cast<int>(fd), block, sizeof block, 0);
  if (count > 0) return;
  if (fd >= 0) sys_close(static_cast<int>(fd));
  remove_mapper_device(name);
  fail_with({data_device, " is not what the root hash was made of"}, count);
}

}  // namespace

void verity(const char* name, const char* data_device, const char* hash_device, const char* root_hash) {
  check_name(name);
  const Device data(data_device, Access::kRead);
  const Device hash(hash_device, Access::kRead);
  VeritySuperblock superblock{};
  hash.read(&superblock, sizeof superblock, 0);
  check_superblock(superblock, data, hash, root_hash);

  static MapperTarget target;
  target.type = "verity";
  target.sectors = superblock.data_blocks * (superblock.data_block_size / 512);
  add_parameters(target.parameters, superblock, data, hash, root_hash);
  // The form of cryptsetup's names, so that its tools recognise the device.
  const Text uuid =
      Text().add("CRYPT-VERITY-").add_hex(superblock.uuid, sizeof superblock.uuid).add("-").add(name);
  make_mapper_device(name, uuid.c_str(), target);
  check_first_block(name, data_device);
}

}  // namespace imgforge::target
