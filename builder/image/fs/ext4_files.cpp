#include "builder/image/fs/ext4_files.hpp"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "builder/image/fs/ext4_channel.hpp"
#include "core/cancel.hpp"
#include "core/error.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kBlock = 1 << 18;
constexpr std::size_t kLongestLink = 4096;
/// Of one directory, so that a hostile one does not fill the memory.
constexpr std::size_t kMostNames = 1'000'000;

void check(errcode_t code, std::string_view action) {
  if (code == 0) return;
  throw Error(Kind::kImage,
              fmt::format("the ext4 file system is damaged: cannot {}: {}", action, error_message(code)));
}

std::uint64_t size_of(const std::string& bytes) {
  const auto* inode = reinterpret_cast<const ext2_inode*>(bytes.data());
  return EXT2_I_SIZE(inode);
}

std::uint16_t mode_of(const std::string& bytes) {
  return reinterpret_cast<const ext2_inode*>(bytes.data())->i_mode;
}

/// Type, owner and device of an inode.
void read_attributes(Ext4File& file) {
  const auto* inode = reinterpret_cast<const ext2_inode*>(file.bytes.data());
  file.mode = inode->i_mode;
  file.uid = inode_uid(*inode);
  file.gid = inode_gid(*inode);
  if (!LINUX_S_ISCHR(inode->i_mode) && !LINUX_S_ISBLK(inode->i_mode)) return;
  // Linux, fs/ext4/inode.c: the first word has the old form of 8 bits each, else the second the new one.
  const std::uint32_t old_form = inode->i_block[0];
  const std::uint32_t new_form = inode->i_block[1];
  file.device_major = old_form != 0 ? old_form >> 8 & 0xff : new_form >> 8 & 0xfff;
  file.device_minor = old_form != 0 ? old_form & 0xff : (new_form & 0xff) | (new_form >> 12 & 0xfff00);
}

/// What ext2fs_dir_iterate calls; an exception must not pass through the library.
using Names = std::vector<std::pair<std::string, std::uint32_t>>;
int take_name(ext2_dir_entry* entry, int, int, char*, void* names) {
  const std::string_view name(entry->name, static_cast<std::size_t>(ext2fs_dirent_name_len(entry)));
  if (name == "." || name == ".." || entry->inode == 0) return 0;
  auto& list = *static_cast<Names*>(names);
  if (list.size() >= kMostNames) return DIRENT_ABORT;
  try {
    list.emplace_back(name, entry->inode);
  } catch (const std::bad_alloc&) {
    return DIRENT_ABORT;
  }
  return 0;
}

struct OwnerSearch {
  const std::set<std::uint64_t>& wanted;
  std::map<std::uint64_t, std::uint32_t>& found;
  std::uint32_t inode;
};
int take_block(ext2_filsys, blk64_t* block, e2_blkcnt_t, blk64_t, int, void* data) {
  auto& search = *static_cast<OwnerSearch*>(data);
  if (search.wanted.contains(*block)) search.found.emplace(*block, search.inode);
  return 0;
}

}  // namespace

struct Ext4Files::State {
  core::Handle<&ext2fs_free> fs;
  std::map<std::uint64_t, std::string> roles = {};
  std::map<std::uint64_t, std::uint32_t> tables = {};  ///< first block and first inode

  Names names_in(std::uint32_t directory) const {
    Names names;
    check(ext2fs_dir_iterate(fs.get(), directory, 0, nullptr, &take_name, &names), "read a directory");
    if (names.size() >= kMostNames)
      throw Error(Kind::kUnsafe, "a directory of the ext4 file system has too many names");
    return names;
  }
};

Ext4Files::Ext4Files(const std::filesystem::path& image, std::uint64_t offset) {
  initialize_ext2_error_table();
  ext2_filsys raw = nullptr;
  check(ext2fs_open2(image.c_str(), fmt::format("offset={}", offset).c_str(),
                     EXT2_FLAG_64BITS | EXT2_FLAG_IGNORE_CSUM_ERRORS, 0, 0, unix_io_manager, &raw),
        "open it");
  state_ = std::make_unique<State>(State{.fs = core::Handle<&ext2fs_free>(raw)});
  for (dgrp_t group = 0; group < raw->group_desc_count; ++group) {
    state_->roles[ext2fs_block_bitmap_loc(raw, group)] = fmt::format("block bitmap of group {}", group);
    state_->roles[ext2fs_inode_bitmap_loc(raw, group)] = fmt::format("inode bitmap of group {}", group);
    state_->tables[ext2fs_inode_table_loc(raw, group)] = group * raw->super->s_inodes_per_group + 1;
    blk64_t super = 0;
    blk64_t old_descriptors = 0;
    blk64_t new_descriptors = 0;
    if (ext2fs_super_and_bgd_loc2(raw, group, &super, &old_descriptors, &new_descriptors, nullptr) != 0)
      continue;
    if (super != 0) state_->roles[super] = fmt::format("copy of the superblock in group {}", group);
    for (blk64_t block = 0; old_descriptors != 0 && block < raw->desc_blocks; ++block)
      state_->roles[old_descriptors + block] = fmt::format("group descriptors in group {}", group);
  }
}

Ext4Files::Ext4Files(const ImageBytes& bytes) {
  initialize_ext2_error_table();
  ext2_filsys raw = nullptr;
  check(open_ext4(bytes, raw), "open it");
  state_ = std::make_unique<State>(State{.fs = core::Handle<&ext2fs_free>(raw)});
}

Ext4Files::~Ext4Files() = default;

std::map<std::string, std::string> Ext4Files::attributes(std::uint32_t inode) const {
  ext2_xattr_handle* raw = nullptr;
  check(ext2fs_xattrs_open(state_->fs.get(), inode, &raw), "open extended attributes");
  struct Close {
    void operator()(ext2_xattr_handle* handle) const { ext2fs_xattrs_close(&handle); }
  };
  const std::unique_ptr<ext2_xattr_handle, Close> handle(raw);
  check(ext2fs_xattrs_read(raw), "read extended attributes");
  std::map<std::string, std::string> found;
  const auto take = [](char* name, char* value, std::size_t size, void* data) {
    try {
      static_cast<std::map<std::string, std::string>*>(data)->emplace(name, std::string(value, size));
      return 0;
    } catch (const std::bad_alloc&) {
      return XATTR_ABORT;
    }
  };
  check(ext2fs_xattrs_iterate(raw, take, &found), "read extended attributes");
  return found;
}

std::string Ext4Files::inode_bytes(std::uint32_t inode) const {
  std::string bytes(EXT2_INODE_SIZE(state_->fs->super), '\0');
  check(ext2fs_read_inode_full(state_->fs.get(), inode, reinterpret_cast<ext2_inode*>(bytes.data()),
                               static_cast<int>(bytes.size())),
        fmt::format("read inode {}", inode));
  return bytes;
}

void Ext4Files::read(std::uint32_t inode, const std::function<void(std::string_view)>& sink) const {
  ext2_file_t raw = nullptr;
  check(ext2fs_file_open(state_->fs.get(), inode, 0, &raw), "open a file");
  const core::Handle<&ext2fs_file_close> file(raw);
  std::vector<char> buffer(kBlock);
  while (true) {
    core::CancelToken::check_signals();
    unsigned got = 0;
    check(ext2fs_file_read(raw, buffer.data(), static_cast<unsigned>(buffer.size()), &got), "read a file");
    if (got == 0) return;
    sink({buffer.data(), got});
  }
}

void Ext4Files::visit(const std::function<void(const Ext4File&)>& visitor) const {
  std::set<std::uint32_t> seen{EXT2_ROOT_INO};
  std::vector<std::pair<std::string, std::uint32_t>> ahead{{"", EXT2_ROOT_INO}};
  Ext4File root{.path = ".", .inode = EXT2_ROOT_INO, .bytes = inode_bytes(EXT2_ROOT_INO), .link_target = {}};
  read_attributes(root);
  visitor(root);
  while (!ahead.empty()) {
    const auto [folder, number] = std::move(ahead.back());
    ahead.pop_back();
    for (const auto& [name, inode] : state_->names_in(number)) {
      if (name.empty() || name.find('/') != std::string::npos || name.find('\0') != std::string::npos)
        throw Error(Kind::kImage, "the ext4 file system has a name that no file can have: " +
                                      core::escaped(folder + name, 200));
      Ext4File file{.path = folder + name, .inode = inode, .bytes = inode_bytes(inode), .link_target = {}};
      read_attributes(file);
      const std::uint16_t mode = mode_of(file.bytes);
      file.is_regular = LINUX_S_ISREG(mode);
      file.size = file.is_regular ? size_of(file.bytes) : 0;
      if (LINUX_S_ISLNK(mode) && size_of(file.bytes) <= kLongestLink) {
        auto* stored = reinterpret_cast<ext2_inode*>(file.bytes.data());
        if (ext2fs_is_fast_symlink(stored) != 0) {
          file.link_target.assign(reinterpret_cast<const char*>(stored->i_block),
                                  std::min<std::size_t>(size_of(file.bytes), 60));
        } else {
          read(inode, [&](std::string_view bytes) { file.link_target += bytes; });
        }
      }
      visitor(file);
      if (!LINUX_S_ISDIR(mode)) continue;
      if (!seen.insert(inode).second)
        throw Error(Kind::kImage,
                    "the directories of the ext4 file system go in a circle at " + core::escaped(file.path));
      ahead.emplace_back(file.path + "/", inode);
    }
  }
}

std::uint32_t Ext4Files::block_size() const {
  return state_->fs->blocksize;
}

std::pair<std::uint32_t, std::uint32_t> Ext4Files::inodes_in(std::uint64_t block) const {
  auto table = state_->tables.upper_bound(block);
  if (table == state_->tables.begin()) return {0, 0};
  --table;
  if (block - table->first >= state_->fs->inode_blocks_per_group) return {0, 0};
  const auto per_block = static_cast<std::uint32_t>(EXT2_INODES_PER_BLOCK(state_->fs->super));
  const std::uint32_t first = table->second + static_cast<std::uint32_t>(block - table->first) * per_block;
  return {first, first + per_block};
}

std::string Ext4Files::role_of(std::uint64_t block) const {
  const auto role = state_->roles.find(block);
  return role == state_->roles.end() ? "" : role->second;
}

std::map<std::uint64_t, std::uint32_t> Ext4Files::owners_of(const std::set<std::uint64_t>& blocks) const {
  std::map<std::uint64_t, std::uint32_t> found;
  ext2_inode_scan raw = nullptr;
  check(ext2fs_open_inode_scan(state_->fs.get(), 0, &raw), "read the inodes");
  const core::Handle<&ext2fs_close_inode_scan> scan(raw);
  while (true) {
    ext2_ino_t number = 0;
    ext2_inode inode{};
    const errcode_t code = ext2fs_get_next_inode(raw, &number, &inode);
    if (code == EXT2_ET_BAD_BLOCK_IN_INODE_TABLE) continue;
    check(code, "read the inodes");
    if (number == 0) return found;
    if (inode.i_links_count == 0 && number >= EXT2_FIRST_INO(state_->fs->super)) continue;
    if (ext2fs_inode_has_valid_blocks2(state_->fs.get(), &inode) == 0) continue;
    OwnerSearch search{blocks, found, number};
    ext2fs_block_iterate3(state_->fs.get(), number, BLOCK_FLAG_READ_ONLY, nullptr, &take_block, &search);
  }
}

std::uint32_t Ext4Files::journal_inode() const {
  return state_->fs->super->s_journal_inum;
}

std::uint64_t Ext4Files::descriptors_start() const {
  return (state_->fs->super->s_first_data_block + std::uint64_t{1}) * block_size();
}

std::uint32_t Ext4Files::descriptor_size() const {
  return static_cast<std::uint32_t>(EXT2_DESC_SIZE(state_->fs->super));
}

std::uint32_t Ext4Files::groups() const {
  return state_->fs->group_desc_count;
}

}  // namespace imgforge::image
