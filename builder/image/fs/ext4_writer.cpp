#include "builder/image/fs/ext4_writer.hpp"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "builder/image/raw_image.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using artifacts::EntryType;
using artifacts::TarEntry;
using core::Error;
using core::Kind;

constexpr std::uint16_t kMaxLinks = 65000;  // EXT4_LINK_MAX
constexpr long kFirstLibraryError = 1 << 16;

/// libext2fs answers 0, an errno, or a code of its own table.
void check(errcode_t code, std::string_view action, std::string_view object) {
  if (code == 0) return;
  if (code == EXT2_ET_BLOCK_ALLOC_FAIL || code == EXT2_ET_INODE_ALLOC_FAIL || code == EXT2_ET_DIR_NO_SPACE) {
    throw Error(Kind::kImage,
                fmt::format("the root file system is full: cannot {} {}", action, core::escaped(object)))
        .hint("raise disk.size");
  }
  if (code > 0 && code < kFirstLibraryError) {
    throw core::system_error(static_cast<int>(code), fmt::format("cannot {}", action), core::escaped(object));
  }
  throw Error(Kind::kImage,
              fmt::format("cannot {} {}: {}", action, core::escaped(object), error_message(code)));
}

std::uint16_t file_type_bits(EntryType type) {
  switch (type) {
    case EntryType::kDirectory:
      return LINUX_S_IFDIR;
    case EntryType::kSymlink:
      return LINUX_S_IFLNK;
    case EntryType::kCharDevice:
      return LINUX_S_IFCHR;
    case EntryType::kBlockDevice:
      return LINUX_S_IFBLK;
    case EntryType::kFifo:
      return LINUX_S_IFIFO;
    case EntryType::kFile:
    case EntryType::kHardlink:
      break;
  }
  return LINUX_S_IFREG;
}

int directory_entry_type(EntryType type) {
  switch (type) {
    case EntryType::kCharDevice:
      return EXT2_FT_CHRDEV;
    case EntryType::kBlockDevice:
      return EXT2_FT_BLKDEV;
    case EntryType::kFifo:
      return EXT2_FT_FIFO;
    default:
      return EXT2_FT_REG_FILE;
  }
}

ext2_inode* base(ext2_inode_large& inode) {
  return reinterpret_cast<ext2_inode*>(&inode);
}

/// Owner, mode and times; 34 bits of seconds, as ext4 stores them.
void set_attributes(ext2_inode_large& inode, const TarEntry& entry) {
  inode.i_mode = static_cast<std::uint16_t>(file_type_bits(entry.type) | (entry.mode & 07777));
  inode.i_uid = static_cast<std::uint16_t>(entry.uid);
  inode.i_gid = static_cast<std::uint16_t>(entry.gid);
  inode.osd2.linux2.l_i_uid_high = static_cast<std::uint16_t>(entry.uid >> 16);
  inode.osd2.linux2.l_i_gid_high = static_cast<std::uint16_t>(entry.gid >> 16);
  const std::int64_t time = std::clamp<std::int64_t>(entry.mtime, INT32_MIN, 0x37FFFFFFF);
  const auto low = static_cast<std::uint32_t>(time);
  const auto epoch = static_cast<std::uint32_t>((time - static_cast<std::int32_t>(low)) >> 32) & 3;
  inode.i_atime = inode.i_ctime = inode.i_mtime = inode.i_crtime = low;
  inode.i_atime_extra = inode.i_ctime_extra = inode.i_mtime_extra = inode.i_crtime_extra = epoch;
  inode.i_extra_isize = sizeof(ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
}

/// Linux device numbers: 8:8 bits in the first word where they fit, else the wider form in the second.
void set_device(ext2_inode_large& inode, std::uint32_t major, std::uint32_t minor) {
  if (major < 256 && minor < 256) {
    inode.i_block[0] = major << 8 | minor;
  } else {
    inode.i_block[1] = (minor & 0xFF) | major << 8 | (minor & ~0xFFu) << 12;
  }
}

bool all_zero(std::span<const std::byte> block) {
  return block[0] == std::byte{0} && std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0;
}

std::pair<std::string, std::string> split_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

struct Ext4Writer::State {
  ext2_filsys fs = nullptr;
  std::filesystem::path image;
  std::uint64_t offset = 0;
  std::unordered_map<std::string, ext2_ino_t> inodes;
  std::vector<std::byte> buffer = std::vector<std::byte>(64 * kBlockSize);

  ~State() {
    if (fs != nullptr) ext2fs_free(fs);
  }

  ext2_ino_t known(const std::string& path, const TarEntry& entry) const {
    const auto found = inodes.find(path);
    if (found != inodes.end()) return found->second;
    throw Error(Kind::kImage,
                fmt::format("the rootfs has {} before {}", core::escaped(entry.path), core::escaped(path)));
  }

  ext2_inode_large read_inode(ext2_ino_t number, const std::string& path) const {
    ext2_inode_large inode{};
    check(ext2fs_read_inode_full(fs, number, base(inode), sizeof(inode)), "read the inode of", path);
    return inode;
  }

  void write_inode(ext2_ino_t number, ext2_inode_large& inode, const std::string& path) const {
    check(ext2fs_write_inode_full(fs, number, base(inode), sizeof(inode)), "write the inode of", path);
  }

  ext2_ino_t new_inode(ext2_ino_t parent, const TarEntry& entry) const {
    ext2_ino_t number = 0;
    check(ext2fs_new_inode(fs, parent, file_type_bits(entry.type), nullptr, &number), "make", entry.path);
    return number;
  }

  void link(ext2_ino_t parent, const std::string& name, ext2_ino_t number, int type,
            const std::string& path) const {
    errcode_t code = ext2fs_link(fs, parent, name.c_str(), number, type);
    if (code == EXT2_ET_DIR_NO_SPACE) {
      check(ext2fs_expand_dir(fs, parent), "enlarge the directory of", path);
      code = ext2fs_link(fs, parent, name.c_str(), number, type);
    }
    check(code, "name", path);
  }

  ext2_ino_t add_directory(ext2_ino_t parent, const std::string& name, const TarEntry& entry) const {
    if (entry.path == ".") return EXT2_ROOT_INO;
    ext2_ino_t number = 0;
    // lost+found is there already: mke2fs makes it.
    if (ext2fs_lookup(fs, parent, name.c_str(), static_cast<int>(name.size()), nullptr, &number) == 0)
      return number;
    number = new_inode(parent, entry);
    errcode_t code = ext2fs_mkdir(fs, parent, number, name.c_str());
    if (code == EXT2_ET_DIR_NO_SPACE) {
      check(ext2fs_expand_dir(fs, parent), "enlarge the directory of", entry.path);
      code = ext2fs_mkdir(fs, parent, number, name.c_str());
    }
    check(code, "make", entry.path);
    return number;
  }

  ext2_ino_t add_symlink(ext2_ino_t parent, const std::string& name, const TarEntry& entry) const {
    const ext2_ino_t number = new_inode(parent, entry);
    errcode_t code = ext2fs_symlink(fs, parent, number, name.c_str(), entry.link_target.c_str());
    if (code == EXT2_ET_DIR_NO_SPACE) {
      check(ext2fs_expand_dir(fs, parent), "enlarge the directory of", entry.path);
      code = ext2fs_symlink(fs, parent, number, name.c_str(), entry.link_target.c_str());
    }
    check(code, "make", entry.path);
    return number;
  }

  /// Files, devices and FIFOs: an inode that is filled later, and its name.
  ext2_ino_t add_node(ext2_ino_t parent, const std::string& name, const TarEntry& entry) const {
    const ext2_ino_t number = new_inode(parent, entry);
    ext2_inode_large inode{};
    set_attributes(inode, entry);
    inode.i_links_count = 1;
    if (entry.type == EntryType::kCharDevice || entry.type == EntryType::kBlockDevice) {
      set_device(inode, entry.device_major, entry.device_minor);
    }
    ext2fs_inode_alloc_stats2(fs, number, +1, 0);
    write_inode(number, inode, entry.path);
    if (entry.type == EntryType::kFile) {
      ext2_extent_handle_t extents = nullptr;  // opening an empty inode makes it one with extents
      check(ext2fs_extent_open2(fs, number, base(inode), &extents), "make", entry.path);
      ext2fs_extent_free(extents);
      write_inode(number, inode, entry.path);
    }
    link(parent, name, number, directory_entry_type(entry.type), entry.path);
    return number;
  }

  void add_hardlink(ext2_ino_t parent, const std::string& name, const TarEntry& entry) {
    const ext2_ino_t number = known(entry.link_target, entry);
    ext2_inode_large inode = read_inode(number, entry.path);
    if (inode.i_links_count >= kMaxLinks) {
      throw Error(Kind::kImage,
                  fmt::format("{} has more hard links than ext4 allows", core::escaped(entry.link_target)));
    }
    ++inode.i_links_count;
    write_inode(number, inode, entry.path);
    link(parent, name, number, EXT2_FT_REG_FILE, entry.path);
    inodes[entry.path] = number;
  }

  void write_run(ext2_file_t file, std::uint64_t position, std::span<const std::byte> data,
                 const std::string& path) const {
    if (data.empty()) return;
    check(ext2fs_file_llseek(file, position, EXT2_SEEK_SET, nullptr), "write", path);
    unsigned written = 0;
    check(ext2fs_file_write(file, data.data(), static_cast<unsigned>(data.size()), &written), "write", path);
    if (written != data.size())
      throw Error(Kind::kImage, "libext2fs wrote less than asked into " + core::escaped(path));
  }

  /// Writes a chunk that begins at a block; blocks of zeros stay holes.
  void write_chunk(ext2_file_t file, std::uint64_t position, std::span<const std::byte> chunk,
                   const std::string& path) const {
    std::size_t run = 0;
    for (std::size_t at = 0; at < chunk.size(); at += kBlockSize) {
      const std::size_t size = std::min<std::size_t>(kBlockSize, chunk.size() - at);
      if (!all_zero(chunk.subspan(at, size))) continue;
      write_run(file, position + run, chunk.subspan(run, at - run), path);
      run = at + size;
    }
    write_run(file, position + run, chunk.subspan(std::min(run, chunk.size())), path);
  }

  void write_content(ext2_ino_t number, const TarEntry& entry,
                     const std::function<std::size_t(std::span<std::byte>)>& read) {
    ext2_file_t file = nullptr;
    check(ext2fs_file_open(fs, number, EXT2_FILE_WRITE, &file), "open", entry.path);
    const core::Handle<&ext2fs_file_close> guard(file);
    std::uint64_t position = 0;
    while (position < entry.size) {
      std::size_t filled = 0;
      while (filled < buffer.size()) {
        const std::size_t n = read(std::span(buffer).subspan(filled));
        if (n == 0) break;
        filled += n;
      }
      if (filled == 0) break;
      write_chunk(file, position, std::span(buffer).first(filled), entry.path);
      position += filled;
    }
    if (position != entry.size) {
      throw Error(Kind::kImage, fmt::format("{} is shorter than the rootfs says", core::escaped(entry.path)));
    }
    check(ext2fs_file_set_size2(file, static_cast<ext2_off64_t>(entry.size)), "size", entry.path);
    check(ext2fs_file_flush(file), "write", entry.path);
  }

  /// All blocks of a file of that size at once, without writing to them: the image is new and reads as zeros.
  void allocate(ext2_ino_t number, std::uint64_t size, const std::string& path) const {
    const blk64_t blocks = (size + kBlockSize - 1) / kBlockSize;
    check(ext2fs_fallocate(fs, EXT2_FALLOCATE_FORCE_INIT, number, nullptr, ~blk64_t{0}, 0, blocks),
          "allocate", path);
    ext2_inode_large inode = read_inode(number, path);
    check(ext2fs_inode_size_set(fs, base(inode), static_cast<ext2_off64_t>(size)), "size", path);
    write_inode(number, inode, path);
  }

  /// Where the blocks of a file are, in its order.
  std::vector<ext2fs_extent> extents_of(ext2_ino_t number, const std::string& path) const {
    ext2_extent_handle_t handle = nullptr;
    check(ext2fs_extent_open(fs, number, &handle), "open", path);
    const core::Handle<&ext2fs_extent_free> guard(handle);
    std::vector<ext2fs_extent> extents;
    ext2fs_extent extent{};
    errcode_t code = ext2fs_extent_get(handle, EXT2_EXTENT_ROOT, &extent);
    for (; code == 0; code = ext2fs_extent_get(handle, EXT2_EXTENT_NEXT, &extent)) {
      const bool again = (extent.e_flags & EXT2_EXTENT_FLAGS_SECOND_VISIT) != 0;
      if ((extent.e_flags & EXT2_EXTENT_FLAGS_LEAF) != 0 && !again) extents.push_back(extent);
    }
    if (code != EXT2_ET_EXTENT_NO_NEXT) check(code, "read the extents of", path);
    return extents;
  }

  void set_xattrs(ext2_ino_t number, const TarEntry& entry) const {
    if (entry.xattrs.empty()) return;
    ext2_xattr_handle* handle = nullptr;
    check(ext2fs_xattrs_open(fs, number, &handle), "open the attributes of", entry.path);
    errcode_t code = 0;
    for (const auto& [name, value] : entry.xattrs) {
      if (code == 0) code = ext2fs_xattr_set(handle, name.c_str(), value.data(), value.size());
    }
    const errcode_t closed = ext2fs_xattrs_close(&handle);
    check(code != 0 ? code : closed, "set the extended attributes of", entry.path);
  }
};

Ext4Writer::Ext4Writer(const std::filesystem::path& image, std::uint64_t offset, std::int64_t now)
    : state_(std::make_unique<State>()) {
  initialize_ext2_error_table();
  state_->image = image;
  state_->offset = offset;
  const std::string io_options = fmt::format("offset={}", offset);
  check(ext2fs_open2(image.c_str(), io_options.c_str(), EXT2_FLAG_RW | EXT2_FLAG_64BITS | EXT2_FLAG_EXCLUSIVE,
                     0, 0, unix_io_manager, &state_->fs),
        "open the file system in", image.native());
  state_->fs->now = now;
  check(ext2fs_read_bitmaps(state_->fs), "read the file system in", image.native());
}

Ext4Writer::~Ext4Writer() = default;

std::uint64_t Ext4Writer::free_bytes() const {
  return ext2fs_free_blocks_count(state_->fs->super) * kBlockSize;
}

void Ext4Writer::add(const TarEntry& entry, const std::function<std::size_t(std::span<std::byte>)>& read) {
  State& state = *state_;
  const auto [folder, name] = split_path(entry.path);
  if (name.size() > EXT2_NAME_LEN) {
    throw Error(Kind::kImage, fmt::format("{} has a name longer than 255 bytes", core::escaped(entry.path)));
  }
  const ext2_ino_t parent = entry.path == "." || folder == "." ? EXT2_ROOT_INO : state.known(folder, entry);
  if (entry.type == EntryType::kHardlink) return state.add_hardlink(parent, name, entry);

  ext2_ino_t number = 0;
  if (entry.type == EntryType::kDirectory || entry.type == EntryType::kSymlink) {
    const bool directory = entry.type == EntryType::kDirectory;
    number = directory ? state.add_directory(parent, name, entry) : state.add_symlink(parent, name, entry);
    ext2_inode_large inode = state.read_inode(number, entry.path);
    set_attributes(inode, entry);
    state.write_inode(number, inode, entry.path);
  } else {
    number = state.add_node(parent, name, entry);
    if (entry.type == EntryType::kFile) state.write_content(number, entry, read);
  }
  state.inodes[entry.path] = number;
  state.set_xattrs(number, entry);
}

void Ext4Writer::add_large(const TarEntry& entry, const std::filesystem::path& source,
                           const core::CancelToken& cancel) {
  State& state = *state_;
  const core::Fd from = core::open_regular(source);
  if (core::file_size(from.get(), source.native()) != entry.size)
    throw Error(Kind::kIntegrity, source.native() + " changed its size while it was used");
  const auto [folder, name] = split_path(entry.path);
  if (name.size() > EXT2_NAME_LEN)
    throw Error(Kind::kImage, fmt::format("{} has a name longer than 255 bytes", core::escaped(entry.path)));
  const ext2_ino_t number =
      state.add_node(folder == "." ? EXT2_ROOT_INO : state.known(folder, entry), name, entry);
  state.inodes[entry.path] = number;
  state.allocate(number, entry.size, entry.path);
  core::Fd to = core::open_file(state.image, O_WRONLY);
  std::uint64_t covered = 0;
  for (const ext2fs_extent& extent : state.extents_of(number, entry.path)) {
    const std::uint64_t start = extent.e_lblk * kBlockSize;
    if (start != covered)
      throw Error(Kind::kInternal, "libext2fs left a gap in " + core::escaped(entry.path));
    const std::uint64_t size = std::min<std::uint64_t>(extent.e_len * kBlockSize, entry.size - start);
    copy_range(from.get(), start, to.get(), state.offset + extent.e_pblk * kBlockSize, size, cancel,
               state.image.native());
    covered += extent.e_len * kBlockSize;
  }
  if (covered < entry.size)
    throw Error(Kind::kInternal, "libext2fs did not allocate all of " + core::escaped(entry.path));
  to.close(state.image.native());
}

void Ext4Writer::finish() {
  ext2_filsys fs = std::exchange(state_->fs, nullptr);
  // Not synced here: the publisher syncs what it publishes.
  const errcode_t code = ext2fs_close2(fs, EXT2_FLAG_FLUSH_NO_SYNC);
  if (code != 0) ext2fs_free(fs);
  check(code, "finish", "the root file system");
}

}  // namespace imgforge::image
