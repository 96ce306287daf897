#include "builder/image/fs/ext4.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/tar/tar.hpp"
#include "builder/image/fs/ext4_writer.hpp"
#include "builder/image/raw_image.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"

namespace imgforge::image {
namespace {

using artifacts::EntryType;

constexpr std::uint64_t kBytesPerInode = 16384;
/// From here on a file's blocks are allocated at once and its bytes never pass through this program.
constexpr std::uint64_t kLargeFile = 1u << 20;

/// Understood by every kernel since 4.4 and by e2fsck since 1.43, hence not what the host's mke2fs.conf says.
constexpr const char* kFeatures =
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,"
    "huge_file,dir_nlink,extra_isize,metadata_csum";

struct Need {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  ///< whole blocks of contents and directories
};

Need measure(const RootTree& tree) {
  Need need;
  walk_root(tree, [&](const artifacts::TarEntry& entry, const ReadContent&, const AddedMember*) {
    ++need.entries;
    if (entry.type == EntryType::kFile) need.bytes += round_up(entry.size, Ext4Writer::kBlockSize);
    if (entry.type == EntryType::kDirectory) need.bytes += Ext4Writer::kBlockSize;
  });
  return need;
}

void make_file_system(const std::filesystem::path& image, const Ext4Options& options, std::uint64_t entries,
                      std::int64_t now, core::ProcessRunner& processes, const core::CancelToken& cancel) {
  // Room for half as many members again, so that a writable root can grow.
  const std::uint64_t inodes = std::max(options.size / kBytesPerInode, entries + entries / 2 + 512);
  // Room for more group descriptors, in blocks of the size that it may have one day.
  const std::string growth = options.largest_size == 0
                                 ? ""
                                 : fmt::format(",resize={}", options.largest_size / Ext4Writer::kBlockSize);
  core::Command command;
  command.program = "mke2fs";
  command.args = {"-q",
                  "-F",
                  "-b",
                  std::to_string(Ext4Writer::kBlockSize),
                  "-I",
                  "256",
                  "-m",
                  "1",
                  "-N",
                  std::to_string(inodes),
                  "-O",
                  kFeatures,
                  "-U",
                  options.uuid,
                  "-L",
                  options.label,
                  "-E",
                  fmt::format("offset={},nodiscard,lazy_itable_init=1,lazy_journal_init=1,"
                              "assume_storage_prezeroed=1,root_owner=0:0,hash_seed={}{}",
                              options.offset, options.uuid, growth),
                  image.native(),
                  fmt::format("{}k", options.size / 1024)};
  command.environment = {{"E2FSPROGS_FAKE_TIME", std::to_string(now)}, {"MKE2FS_CONFIG", "/dev/null"}};
  processes.check(command, cancel, core::Kind::kImage);
}

}  // namespace

void make_ext4(const RootTree& tree, const std::filesystem::path& image, const Ext4Options& options,
               core::ProcessRunner& processes, const core::CancelToken& cancel) {
  const Need need = measure(tree);
  const std::int64_t now = std::max<std::int64_t>(options.epoch, 1);  // 0 would mean "ask the clock"
  make_file_system(image, options, need.entries, now, processes, cancel);
  Ext4Writer writer(image, options.offset, now);
  if (const std::uint64_t free = writer.free_bytes(); need.bytes > free) {
    throw core::Error(core::Kind::kImage,
                      fmt::format("the root file system needs {}, its partition has room for {}",
                                  core::Bytes{need.bytes}.human(), core::Bytes{free}.human()))
        .hint(fmt::format("raise disk.size by at least {}",
                          core::Bytes{round_up(need.bytes - free + need.bytes / 10, kMebibyte)}.to_string()));
  }
  walk_root(tree, [&](const artifacts::TarEntry& entry, const ReadContent& read, const AddedMember* added) {
    cancel.check();
    if (added != nullptr && !added->source.empty() && entry.size >= kLargeFile) {
      writer.add_large(entry, added->source, cancel);
    } else {
      writer.add(entry, read);
    }
  });
  writer.finish();
}

void make_empty_ext4(const std::filesystem::path& image, const Ext4Options& options,
                     core::ProcessRunner& processes, const core::CancelToken& cancel) {
  make_file_system(image, options, 0, std::max<std::int64_t>(options.epoch, 1), processes, cancel);
}

}  // namespace imgforge::image
