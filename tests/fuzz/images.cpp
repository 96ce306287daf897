// Parts of disks and programs of images that others made.
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include "builder/image/boot/elf.hpp"
#include "builder/image/boot/kernel.hpp"
#include "builder/image/boot/kernel_config.hpp"
#include "builder/image/boot/module_closure.hpp"
#include "builder/image/disk/gpt.hpp"
#include "builder/image/disk/qcow2_bytes.hpp"
#include "builder/image/fs/rootfs_archive.hpp"
#include "builder/image/trust/pe.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "fuzz/table.hpp"
#include "fuzz/target.hpp"

namespace imgforge::fuzz {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::size_t kHeader = kSector;
constexpr std::size_t kEntries = 2 * kSector;
constexpr std::size_t kEntriesSize = std::size_t{128} * 128;

/// Up to the end of the entries.
constexpr std::size_t kTable = kEntries + kEntriesSize;

/// A disk of 3 MiB with one partition, whose beginning each input takes.
class Disk {
 public:
  Disk() {
    std::filesystem::copy_file(file_of(std::string(3 << 20, '\0')), path_);
    image::write_gpt(
        path_, "11111111-2222-3333-4444-555555555555",
        {{"root", image::kRootX86Type, "22222222-2222-3333-4444-555555555555", 1 << 20, 1 << 20}}, "");
    fd_ = core::open_file(path_, O_RDWR);
    begin_.resize(kTable);
    if (::pread(fd_.get(), begin_.data(), kTable, 0) != static_cast<ssize_t>(kTable))
      throw std::logic_error("the disk cannot be read");
  }
  const std::string& begin() const { return begin_; }
  const std::filesystem::path& with(const std::string& begin) const {
    if (::pwrite(fd_.get(), begin.data(), kTable, 0) != static_cast<ssize_t>(kTable))
      throw std::logic_error("the disk cannot be written");
    return path_;
  }

 private:
  const core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-fuzz-disk"};
  const std::filesystem::path path_ = folder_ / "disk";
  core::Fd fd_;
  std::string begin_;
};

void put_crc(std::string& disk, std::size_t at, std::size_t begin, std::size_t size) {
  const uLong crc = ::crc32(0, reinterpret_cast<const Bytef*>(disk.data()) + begin, static_cast<uInt>(size));
  for (std::size_t i = 0; i < 4; ++i) disk[at + i] = static_cast<char>(crc >> (8 * i));
}

}  // namespace

void elf(std::string_view bytes) {
  image::read_elf_needs(bytes, "input");
}

void kernel(std::string_view bytes) {
  if (image::kernel_release(bytes, "input").find('/') != std::string::npos)
    throw std::logic_error("a kernel release that is a path");
}

void kernel_config(std::string_view bytes) {
  if (!image::KernelConfig::parse(bytes))
    throw core::Error(core::Kind::kImage, "no configuration of a kernel");
}

/// Three files with a line "---" between.
void module_table(std::string_view bytes) {
  std::string_view texts[3] = {bytes, {}, {}};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t at = texts[i].find("---\n");
    if (at == std::string_view::npos) break;
    texts[i + 1] = texts[i].substr(at + 4);
    texts[i] = texts[i].substr(0, at);
  }
  image::ModuleTable(texts[0], texts[1], texts[2]).closure({"ext4", "virtio_blk", "dm-verity"});
}

/// Links of the archive lead to nothing but its own members.
void rootfs(std::string_view bytes) {
  const image::RootfsArchive archive(file_of(bytes));
  for (const char* path : {"etc/os-release", "lib/apk/db/installed", "lib/modules", "/boot/vmlinuz", "a/b"}) {
    const std::optional<std::string> found = archive.resolve(path);
    if (found && (found->starts_with('/') || ("/" + *found + "/").find("/../") != std::string::npos))
      throw std::logic_error("a path leads out of the archive: " + *found);
    archive.list(path);
    if (found) archive.read({*found}, 1 << 16);
  }
}

void pe(std::string_view bytes) {
  const image::PeFile file(std::string(bytes), "input");
  if (!file.is_signed()) file.authenticode_sha256();
}

/// The bytes stand over MBR, header and first entries of a whole disk. Unless the last one is odd, the
/// checksums are made good again, so that more than those is looked at.
void gpt(std::string_view bytes) {
  static const Disk whole;
  std::string disk = whole.begin();
  const std::size_t size = std::min(bytes.size(), 3 * kSector);
  std::copy_n(bytes.begin(), size, disk.begin());
  if (bytes.empty() || (bytes.back() & 1) == 0) {
    put_crc(disk, kHeader + 88, kEntries, kEntriesSize);
    disk.replace(kHeader + 16, 4, 4, '\0');
    put_crc(disk, kHeader + 16, kHeader, 92);
  }
  for (const image::GptPartition& partition : image::read_gpt(whole.with(disk)).partitions) {
    if (!core::is_utf8(partition.name)) throw std::logic_error("the name of a partition is no UTF-8");
  }
}

/// Every 4 KiB of the first MiB of the disk.
void qcow2(std::string_view bytes) {
  const core::Fd fd = core::open_regular(file_of(bytes));
  const image::FileBytes file(fd.get(), "qcow2");
  const image::Qcow2Bytes disk(file, "qcow2");
  for (std::uint64_t at = 0; at < (1 << 20) && at < disk.size(); at += 4096) disk.text(at, 4096);
}

/// The header of a machine's disk that somebody sends.
void qcow2_overlay(std::string_view bytes) {
  const core::Fd fd = core::open_regular(file_of(bytes));
  image::read_overlay_header(image::FileBytes(fd.get(), "overlay"), "overlay");
}

}  // namespace imgforge::fuzz
