// Reads the block bitmap of an ext4 file system through libext2fs.
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <fmt/format.h>

#include "builder/image/fs/ext4.hpp"
#include "core/error.hpp"
#include "core/handle.hpp"

namespace imgforge::image {
namespace {

void check(errcode_t code, const std::filesystem::path& image) {
  if (code == 0) return;
  throw core::Error(core::Kind::kImage, fmt::format("cannot read the file system in {}: {}", image.native(),
                                                    error_message(code)));
}

}  // namespace

std::vector<ByteRange> unused_ext4_ranges(const std::filesystem::path& image, std::uint64_t offset) {
  initialize_ext2_error_table();
  ext2_filsys raw = nullptr;
  check(ext2fs_open2(image.c_str(), fmt::format("offset={}", offset).c_str(), EXT2_FLAG_64BITS, 0, 0,
                     unix_io_manager, &raw),
        image);
  const core::Handle<&ext2fs_free> fs(raw);
  check(ext2fs_read_block_bitmap(fs.get()), image);
  std::vector<ByteRange> ranges;
  const blk64_t end = ext2fs_blocks_count(fs->super);
  for (blk64_t block = fs->super->s_first_data_block; block < end; ++block) {
    if (ext2fs_test_block_bitmap2(fs->block_map, block) != 0) continue;
    const std::uint64_t start = offset + block * fs->blocksize;
    if (!ranges.empty() && ranges.back().start + ranges.back().size == start) {
      ranges.back().size += fs->blocksize;
    } else {
      ranges.push_back({start, fs->blocksize});
    }
  }
  return ranges;
}

}  // namespace imgforge::image
