#include "builder/image/disk/disk_grow.hpp"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "builder/image/disk/disk_convert.hpp"
#include "builder/image/raw_image.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/handle.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr core::Bytes kLargest = core::gib(std::uint64_t{16} << 10);  // what ext4 files of a host can hold

/// Copies `size` bytes at `from` of one file to `to` of another; holes stay holes.
void copy_data(const fs::path& source, std::uint64_t from, const fs::path& target, std::uint64_t to,
               std::uint64_t size, const core::CancelToken& cancel) {
  const core::Fd in = core::open_regular(source);
  core::Fd out = core::open_file(target, O_WRONLY);
  std::uint64_t at = from;
  while (const std::optional<core::DataRun> run =
             core::next_data(in.get(), source.native(), at, from + size)) {
    image::copy_range(in.get(), run->begin, out.get(), run->begin - from + to, run->size(), cancel,
                      target.native());
    at = run->end;
  }
  out.close(target.native());
}

void set_size(const fs::path& file, std::uint64_t size) {
  if (::truncate(file.c_str(), static_cast<off_t>(size)) != 0)
    throw core::system_error(errno, "cannot size", file.native());
}

void create_sparse(const fs::path& file, std::uint64_t size) {
  core::NewFile made(file, 0600);
  made.resize(size);
  made.commit();
}

using FileSystem = core::Handle<&ext2fs_free>;

FileSystem open_ext4(const fs::path& file, int flags) {
  initialize_ext2_error_table();
  ext2_filsys raw = nullptr;
  const errcode_t code =
      ext2fs_open2(file.c_str(), "", flags | EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &raw);
  if (code == 0) return FileSystem(raw);
  throw Error(Kind::kImage, fmt::format("the last partition holds no ext4 file system that can be grown: {}",
                                        error_message(code)));
}

/// The time of the last change that the file system tells.
std::uint32_t written_at(const fs::path& file) {
  return open_ext4(file, 0)->super->s_wtime;
}

/// The inode that keeps room for group descriptors gets the time of day from resize2fs.
void set_reserve_times(ext2_filsys filesystem, std::uint32_t time, const fs::path& file) {
  ext2_inode_large inode{};
  auto* const plain = reinterpret_cast<ext2_inode*>(&inode);  // as libext2fs wants it
  errcode_t code = ext2fs_read_inode_full(filesystem, EXT2_RESIZE_INO, plain, sizeof inode);
  if (code == 0) {
    inode.i_atime = inode.i_mtime = inode.i_ctime = inode.i_crtime = time;
    code = ext2fs_write_inode_full(filesystem, EXT2_RESIZE_INO, plain, sizeof inode);
  }
  if (code == 0) return;
  throw Error(Kind::kImage,
              fmt::format("cannot change an inode in {}: {}", file.native(), error_message(code)));
}

/// resize2fs puts the time of day into the superblocks; the one from before goes back, so that equal inputs
/// give equal bytes.
void set_written_at(const fs::path& file, std::uint32_t time) {
  FileSystem filesystem = open_ext4(file, EXT2_FLAG_RW);
  set_reserve_times(filesystem.get(), std::max<std::uint32_t>(time, 1), file);
  filesystem->now = static_cast<time_t>(std::max<std::uint32_t>(time, 1));
  filesystem->super->s_lastcheck = std::max<std::uint32_t>(time, 1);
  ext2fs_mark_super_dirty(filesystem.get());
  filesystem->flags &= ~EXT2_FLAG_MASTER_SB_ONLY;
  ext2_filsys raw = filesystem.release();
  if (const errcode_t code = ext2fs_close_free(&raw); code != 0) {
    throw Error(Kind::kImage,
                fmt::format("cannot write the superblock in {}: {}", file.native(), error_message(code)));
  }
}

void run_tool(std::string program, std::vector<std::string> args, core::ProcessRunner& processes,
              const core::CancelToken& cancel) {
  core::Command command;
  command.program = std::move(program);
  command.args = std::move(args);
  command.timeout = std::chrono::hours(1);
  try {
    processes.check(command, cancel, Kind::kImage);
  } catch (Error& error) {
    throw full_disk_error(error);
  }
}

}  // namespace

bool is_sealed(const GptLayout& layout) {
  return std::any_of(layout.partitions.begin(), layout.partitions.end(),
                     [](const GptPartition& partition) { return partition.type_uuid == kRootVerityX86Type; });
}

GrownDisk grow_disk(const fs::path& raw, core::Bytes wanted, const fs::path& work_dir,
                    core::ProcessRunner& processes, const core::CancelToken& cancel) {
  GptLayout layout = read_gpt(raw);
  if (is_sealed(layout)) {
    throw Error(Kind::kImage, "a disk for Secure Boot does not grow: its root is sealed by a signature")
        .hint("build the recipe with another disk.size");
  }
  GrownDisk grown;
  grown.before.value = fs::file_size(raw);
  grown.after.value = round_up(wanted.value, kMebibyte);
  if (wanted > kLargest)
    throw Error(Kind::kUsage, fmt::format("{} is more than {}", wanted.to_string(), kLargest.to_string()));
  if (grown.after <= grown.before) {
    throw Error(Kind::kUsage,
                fmt::format("the disk has {} already: it only grows", grown.before.to_string()));
  }
  GptPartition& last =
      *std::max_element(layout.partitions.begin(), layout.partitions.end(),
                        [](const GptPartition& a, const GptPartition& b) { return a.start < b.start; });
  const std::uint64_t old_size = last.size;
  last.size = grown.after.value - kMebibyte - last.start;  // the last MiB: second copy of the GPT
  grown.root.value = last.size;

  const fs::path root = fs::absolute(work_dir) / "root.ext4";
  create_sparse(root, old_size);
  copy_data(raw, last.start, root, 0, old_size, cancel);
  const std::uint32_t time = written_at(root);
  run_tool("e2fsck", {"-fn", root.native()}, processes, cancel);
  set_size(root, last.size);
  run_tool("resize2fs", {"-f", root.native()}, processes, cancel);
  set_written_at(root, time);
  run_tool("e2fsck", {"-fn", root.native()}, processes, cancel);

  const std::string boot_code = read_boot_code(raw);
  // The old second copy of the table and the old file system go, so that nothing of them stays between.
  set_size(raw, last.start);
  set_size(raw, grown.after.value);
  write_gpt(raw, layout.disk_uuid, layout.partitions, boot_code);
  copy_data(root, 0, raw, last.start, last.size, cancel);
  ::unlink(root.c_str());
  if (check_gpt(raw) != layout.partitions.size())
    throw Error(Kind::kInternal, "the grown disk lost a partition");
  return grown;
}

}  // namespace imgforge::image
