#include "builder/image/fs/squashfs_files.hpp"

#include <fmt/format.h>
#include <sqfs/compressor.h>
#include <sqfs/data_reader.h>
#include <sqfs/dir.h>
#include <sqfs/dir_reader.h>
#include <sqfs/error.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/super.h>
#include <sqfs/xattr.h>
#include <sqfs/xattr_reader.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <new>
#include <set>
#include <utility>
#include <vector>

#include "core/cancel.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr std::uint32_t kNoAttributes = 0xffffffff;
constexpr std::uint32_t kMostAttributes = 1024;  // of one file
constexpr std::uint32_t kPiece = 1 << 20;

void check(int code, std::string_view action) {
  if (code >= 0) return;
  if (code == SQFS_ERROR_ALLOC) throw std::bad_alloc();
  throw Error(Kind::kImage,
              fmt::format("the squashfs is damaged: cannot {} (libsquashfs error {})", action, code));
}

struct Destroy {
  template <class T>
  void operator()(T* object) const {
    ::sqfs_destroy(object);
  }
};
template <class T>
using Object = std::unique_ptr<T, Destroy>;

struct FreeMemory {
  void operator()(void* memory) const { ::sqfs_free(memory); }
};
template <class T>
using Memory = std::unique_ptr<T, FreeMemory>;

template <class T>
Object<T> made(T* object) {
  if (object == nullptr) throw std::bad_alloc();
  return Object<T>(object);
}

/// What the library reads from. An exception must not pass through it.
struct Source {
  sqfs_file_t file{};
  const ImageBytes* bytes = nullptr;

  explicit Source(const ImageBytes& all) : bytes(&all) {
    file.base.destroy = [](sqfs_object_t*) {};
    file.read_at = [](sqfs_file_t* self, sqfs_u64 offset, void* buffer, std::size_t size) -> int {
      try {
        reinterpret_cast<Source*>(self)->bytes->read(offset, {static_cast<std::byte*>(buffer), size});
        return 0;
      } catch (const Error&) {
        return SQFS_ERROR_OUT_OF_BOUNDS;
      } catch (const std::bad_alloc&) {
        return SQFS_ERROR_ALLOC;
      }
    };
    file.write_at = [](sqfs_file_t*, sqfs_u64, const void*, std::size_t) -> int {
      return SQFS_ERROR_UNSUPPORTED;
    };
    file.get_size = [](const sqfs_file_t* self) -> sqfs_u64 {
      return reinterpret_cast<const Source*>(self)->bytes->size();
    };
    file.truncate = [](sqfs_file_t*, sqfs_u64) -> int { return SQFS_ERROR_UNSUPPORTED; };
  }
};

std::uint32_t device_of(const sqfs_inode_generic_t& inode) {
  switch (inode.base.type) {
    case SQFS_INODE_BDEV:
    case SQFS_INODE_CDEV:
      return inode.data.dev.devno;
    case SQFS_INODE_EXT_BDEV:
    case SQFS_INODE_EXT_CDEV:
      return inode.data.dev_ext.devno;
    default:
      return 0;
  }
}

bool is_link(const sqfs_inode_generic_t& inode) {
  return inode.base.type == SQFS_INODE_SLINK || inode.base.type == SQFS_INODE_EXT_SLINK;
}
bool is_file(const sqfs_inode_generic_t& inode) {
  return inode.base.type == SQFS_INODE_FILE || inode.base.type == SQFS_INODE_EXT_FILE;
}
bool is_directory(const sqfs_inode_generic_t& inode) {
  return inode.base.type == SQFS_INODE_DIR || inode.base.type == SQFS_INODE_EXT_DIR;
}

}  // namespace

struct SquashfsFiles::State {
  explicit State(const ImageBytes& bytes) : source(bytes) {
    check(::sqfs_super_read(&super, &source.file), "read the superblock");
    if (super.bytes_used > bytes.size()) throw Error(Kind::kImage, "the squashfs ends behind its file");
    sqfs_compressor_config_t config{};
    check(::sqfs_compressor_config_init(&config, static_cast<SQFS_COMPRESSOR>(super.compression_id),
                                        super.block_size, SQFS_COMP_FLAG_UNCOMPRESS),
          "tell its compression");
    sqfs_compressor_t* raw = nullptr;
    check(::sqfs_compressor_create(&config, &raw), "unpack its compression");
    compressor.reset(raw);
    ids = made(::sqfs_id_table_create(0));
    check(::sqfs_id_table_read(ids.get(), &source.file, &super, raw), "read the owners");
    directories = made(::sqfs_dir_reader_create(&super, raw, &source.file, 0));
    data = made(::sqfs_data_reader_create(&source.file, super.block_size, raw, 0));
    check(::sqfs_data_reader_load_fragment_table(data.get(), &super), "read the fragments");
    attributes = made(::sqfs_xattr_reader_create(0));
    check(::sqfs_xattr_reader_load(attributes.get(), &super, &source.file, raw), "read the attributes");
  }

  std::map<std::string, std::string> attributes_of(const sqfs_inode_generic_t& inode) const {
    std::map<std::string, std::string> found;
    sqfs_u32 index = kNoAttributes;
    check(::sqfs_inode_get_xattr_index(&inode, &index), "read the attributes of a file");
    if (index == kNoAttributes) return found;
    sqfs_xattr_id_t row{};
    check(::sqfs_xattr_reader_get_desc(attributes.get(), index, &row), "read the attributes of a file");
    if (row.count > kMostAttributes)
      throw Error(Kind::kImage, "a file of the squashfs has too many attributes");
    check(::sqfs_xattr_reader_seek_kv(attributes.get(), &row), "read the attributes of a file");
    for (sqfs_u32 i = 0; i < row.count; ++i) {
      sqfs_xattr_entry_t* raw_key = nullptr;
      check(::sqfs_xattr_reader_read_key(attributes.get(), &raw_key), "read an attribute");
      const Memory<sqfs_xattr_entry_t> key(raw_key);
      sqfs_xattr_value_t* raw_value = nullptr;
      check(::sqfs_xattr_reader_read_value(attributes.get(), raw_key, &raw_value), "read an attribute");
      const Memory<sqfs_xattr_value_t> value(raw_value);
      found.emplace(reinterpret_cast<const char*>(raw_key->key),
                    std::string(reinterpret_cast<const char*>(raw_value->value), raw_value->size));
    }
    return found;
  }

  void read(const sqfs_inode_generic_t& inode, std::uint64_t size, const TakeContent& take) const {
    std::vector<char> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(size, kPiece)));
    for (std::uint64_t at = 0; at < size;) {
      core::CancelToken::check_signals();
      const sqfs_s32 got = ::sqfs_data_reader_read(data.get(), &inode, at, buffer.data(),
                                                   static_cast<sqfs_u32>(buffer.size()));
      check(got, "read a file");
      if (got == 0) throw Error(Kind::kImage, "a file of the squashfs is shorter than it says");
      take({buffer.data(), static_cast<std::size_t>(got)});
      at += static_cast<std::uint64_t>(got);
    }
  }

  SquashfsFile file(std::string path, const sqfs_inode_generic_t& inode) const {
    SquashfsFile out;
    out.path = std::move(path);
    out.mode = inode.base.mode;
    check(::sqfs_id_table_index_to_id(ids.get(), inode.base.uid_idx, &out.uid), "tell an owner");
    check(::sqfs_id_table_index_to_id(ids.get(), inode.base.gid_idx, &out.gid), "tell a group");
    const std::uint32_t device = device_of(inode);  // Linux, include/linux/kdev_t.h: new_decode_dev
    out.device_major = device >> 8 & 0xfff;
    out.device_minor = (device & 0xff) | (device >> 12 & 0xfff00);
    if (is_link(inode)) out.link_target = reinterpret_cast<const char*>(inode.extra);
    if (is_file(inode)) {
      sqfs_u64 size = 0;
      check(::sqfs_inode_get_file_size(&inode, &size), "read the size of a file");
      out.size = size;
      out.read = [this, &inode, size](const TakeContent& take) { read(inode, size, take); };
    }
    out.attributes = attributes_of(inode);
    return out;
  }

  Source source;
  sqfs_super_t super{};
  Object<sqfs_compressor_t> compressor;
  Object<sqfs_id_table_t> ids;
  Object<sqfs_dir_reader_t> directories;
  Object<sqfs_data_reader_t> data;
  Object<sqfs_xattr_reader_t> attributes;
};

SquashfsFiles::SquashfsFiles(const ImageBytes& bytes) : state_(std::make_unique<State>(bytes)) {}

SquashfsFiles::~SquashfsFiles() = default;

void SquashfsFiles::visit(const std::function<void(const SquashfsFile&)>& visitor) const {
  using Inode = Memory<sqfs_inode_generic_t>;
  sqfs_dir_reader_t* directories = state_->directories.get();
  sqfs_inode_generic_t* raw = nullptr;
  check(::sqfs_dir_reader_get_root_inode(directories, &raw), "read the root directory");
  Inode root(raw);
  if (!is_directory(*root)) throw Error(Kind::kImage, "the root of the squashfs is no directory");
  visitor(state_->file(".", *root));
  std::set<std::uint32_t> seen{root->base.inode_number};
  std::vector<std::pair<std::string, Inode>> ahead;
  ahead.emplace_back("", std::move(root));
  while (!ahead.empty()) {
    const auto [folder, inode] = std::move(ahead.back());
    ahead.pop_back();
    check(::sqfs_dir_reader_open_dir(directories, inode.get(), 0), "open a directory");
    while (true) {
      core::CancelToken::check_signals();
      sqfs_dir_entry_t* raw_entry = nullptr;
      const int more = ::sqfs_dir_reader_read(directories, &raw_entry);
      check(more, "read a directory");
      if (more > 0) break;
      const Memory<sqfs_dir_entry_t> entry(raw_entry);
      const std::string name(reinterpret_cast<const char*>(entry->name), entry->size + std::size_t{1});
      if (name == "." || name == ".." || name.find('/') != std::string::npos ||
          name.find('\0') != std::string::npos)
        throw Error(Kind::kImage,
                    "the squashfs has a name that no file can have: " + core::escaped(folder + name, 200));
      sqfs_inode_generic_t* raw_inode = nullptr;
      check(::sqfs_dir_reader_get_inode(directories, &raw_inode), "read an inode");
      Inode found(raw_inode);
      visitor(state_->file(folder + name, *found));
      if (!is_directory(*found)) continue;
      if (!seen.insert(found->base.inode_number).second)
        throw Error(Kind::kImage,
                    "the directories of the squashfs go in a circle at " + core::escaped(folder + name, 200));
      ahead.emplace_back(folder + name + "/", std::move(found));
    }
  }
}

}  // namespace imgforge::image
