#include "builder/image/fs/ext4_channel.hpp"

#include <cstdlib>
#include <new>

#include "core/error.hpp"

namespace imgforge::image {
namespace {

// The library allocates and frees channels of its own with malloc; nothing of C++ is in one.

/// What the next channel reads: the library's way to say it is a name.
thread_local const ImageBytes* opening = nullptr;

io_manager channel_manager();

errcode_t open_channel(const char*, int, io_channel* out) {
  auto* channel = static_cast<io_channel>(std::calloc(1, sizeof(struct_io_channel)));
  if (channel == nullptr) return EXT2_ET_NO_MEMORY;
  channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
  channel->block_size = 1024;
  channel->refcount = 1;
  channel->private_data = const_cast<ImageBytes*>(opening);
  channel->manager = channel_manager();
  *out = channel;
  return 0;
}

errcode_t close_channel(io_channel channel) {
  if (--channel->refcount <= 0) std::free(channel);
  return 0;
}

errcode_t set_block_size(io_channel channel, int size) {
  channel->block_size = size;
  return 0;
}

/// A negative count is one of bytes. An exception must not pass through the library.
errcode_t read_blocks(io_channel channel, unsigned long long block, int count, void* data) {
  const auto unit = static_cast<std::uint64_t>(channel->block_size);
  const std::uint64_t size =
      count < 0 ? static_cast<std::uint64_t>(-static_cast<std::int64_t>(count)) : unit * unsigned(count);
  if (block > UINT64_MAX / unit) return EXT2_ET_SHORT_READ;
  try {
    static_cast<const ImageBytes*>(channel->private_data)
        ->read(block * unit, {static_cast<std::byte*>(data), static_cast<std::size_t>(size)});
    return 0;
  } catch (const core::Error&) {
    return EXT2_ET_SHORT_READ;
  } catch (const std::bad_alloc&) {
    return EXT2_ET_NO_MEMORY;
  }
}

errcode_t read_blocks_32(io_channel channel, unsigned long block, int count, void* data) {
  return read_blocks(channel, block, count, data);
}
errcode_t refuse_blocks(io_channel, unsigned long long, int, const void*) {
  return EXT2_ET_RO_FILSYS;
}
errcode_t refuse_blocks_32(io_channel, unsigned long, int, const void*) {
  return EXT2_ET_RO_FILSYS;
}
errcode_t flush_nothing(io_channel) {
  return 0;
}

io_manager channel_manager() {
  static struct_io_manager manager = [] {
    struct_io_manager made{};
    made.magic = EXT2_ET_MAGIC_IO_MANAGER;
    made.name = "imgforge";
    made.open = &open_channel;
    made.close = &close_channel;
    made.set_blksize = &set_block_size;
    made.read_blk = &read_blocks_32;
    made.write_blk = &refuse_blocks_32;
    made.flush = &flush_nothing;
    made.read_blk64 = &read_blocks;
    made.write_blk64 = &refuse_blocks;
    return made;
  }();
  return &manager;
}

}  // namespace

errcode_t open_ext4(const ImageBytes& bytes, ext2_filsys& out) {
  opening = &bytes;
  const errcode_t code = ext2fs_open2("image", nullptr, EXT2_FLAG_64BITS | EXT2_FLAG_IGNORE_CSUM_ERRORS, 0, 0,
                                      channel_manager(), &out);
  opening = nullptr;
  return code;
}

}  // namespace imgforge::image
