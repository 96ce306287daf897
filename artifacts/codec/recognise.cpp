#include "artifacts/codec/recognise.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"

namespace imgforge::artifacts {
namespace {

using namespace std::string_view_literals;

enum class Group { kCompression, kFile, kFileSystem };

struct Row {
  Content content;
  std::string_view name;
  Group group;
  std::size_t offset;
  std::string_view bytes;
};

/// The first row that fits decides. An MBR comes last: two bytes are soon met.
constexpr std::array kRows{
    Row{Content::kQcow2, "qcow2", Group::kFile, 0, "QFI\xfb"sv},  // QEMU, docs/interop/qcow2.txt
    Row{Content::kVmdk, "vmdk", Group::kFile, 0, "KDMV"sv},       // VMware Virtual Disk Format 5.0
    Row{Content::kVmdkDescriptor, "vmdk", Group::kFile, 0, "# Disk DescriptorFile"sv},
    Row{Content::kVhdx, "vhdx", Group::kFile, 0, "vhdxfile"sv},         // [MS-VHDX] 2.2.1
    Row{Content::kVdi, "vdi", Group::kFile, 64, "\x7f\x10\xda\xbe"sv},  // VirtualBox, VDICore.h
    Row{Content::kIso, "iso", Group::kFile, 32769, "CD001"sv},          // ECMA-119, volume descriptor
    Row{Content::kGzip, "gzip", Group::kCompression, 0, "\x1f\x8b"sv},
    Row{Content::kZstd, "zstd", Group::kCompression, 0, "\x28\xb5\x2f\xfd"sv},
    Row{Content::kXz, "xz", Group::kCompression, 0, "\xfd\x37zXZ\0"sv},
    Row{Content::kBzip2, "bzip2", Group::kCompression, 0, "BZh"sv},
    Row{Content::kTar, "tar", Group::kFile, 257, "ustar"sv},       // POSIX.1, ustar
    Row{Content::kKernel, "kernel", Group::kFile, 514, "HdrS"sv},  // Linux, Documentation/x86/boot.rst
    Row{Content::kPartitions, "raw", Group::kFile, 510, "\x55\xaa"sv},
    Row{Content::kExt4, "ext4", Group::kFileSystem, 1080, "\x53\xef"sv},
    Row{Content::kSquashfs, "squashfs", Group::kFileSystem, 0, "hsqs"sv},
    Row{Content::kVerityTree, "verity", Group::kFileSystem, 0, "verity\0\0"sv},
    Row{Content::kFat, "vfat", Group::kFileSystem, 54, "FAT1"sv},
    Row{Content::kFat, "vfat", Group::kFileSystem, 82, "FAT32"sv},
};

bool is_among(Group group, Among among) {
  switch (among) {
    case Among::kCompressions:
      return group == Group::kCompression;
    case Among::kFiles:
      return group != Group::kFileSystem;
    case Among::kFileSystems:
      return group == Group::kFileSystem;
  }
  return false;
}

bool fits(std::string_view head, const Row& row) {
  return head.size() >= row.offset && head.substr(row.offset).starts_with(row.bytes);
}

/// How many bytes decide.
std::size_t reach(Among among) {
  std::size_t size = 0;
  for (const Row& row : kRows) {
    if (is_among(row.group, among)) size = std::max(size, row.offset + row.bytes.size());
  }
  return size;
}

}  // namespace

Content recognise(std::string_view head, Among among) {
  for (const Row& row : kRows) {
    if (is_among(row.group, among) && fits(head, row)) return row.content;
  }
  return Content::kUnknown;
}

Content recognise_file(const std::filesystem::path& file, Among among, std::uint64_t offset) {
  const core::Fd fd = core::open_regular(file);
  std::string head(reach(among), '\0');
  head.resize(core::read_at(fd.get(), file.native(), offset, std::as_writable_bytes(std::span(head))));
  return recognise(head, among);
}

bool begins_as(std::string_view head, Content content) {
  return std::any_of(kRows.begin(), kRows.end(),
                     [&](const Row& row) { return row.content == content && fits(head, row); });
}

std::string_view content_name(Content content) {
  for (const Row& row : kRows) {
    if (row.content == content) return row.name;
  }
  return {};
}

}  // namespace imgforge::artifacts
