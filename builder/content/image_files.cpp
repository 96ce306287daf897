#include "builder/content/image_files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "artifacts/codec/recognise.hpp"
#include "artifacts/manifest/formats.hpp"
#include "builder/compare/members/iso_records.hpp"
#include "builder/content/tar_files.hpp"
#include "builder/image/boot/live_root.hpp"
#include "builder/image/disk/gpt.hpp"
#include "builder/image/disk/partition_bytes.hpp"
#include "builder/image/disk/qcow2_bytes.hpp"
#include "builder/image/fs/ext4_files.hpp"
#include "builder/image/fs/squashfs_files.hpp"
#include "core/error.hpp"

namespace imgforge::content {
namespace {

using artifacts::Content;
using artifacts::RootPlace;
using core::Error;
using core::Kind;
using image::ImageBytes;
using image::PartBytes;

constexpr std::size_t kHead = 4096;

std::string_view type_of(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return kRegular;
    case S_IFDIR:
      return kDirectory;
    case S_IFLNK:
      return kSymlink;
    case S_IFCHR:
      return kCharDevice;
    case S_IFBLK:
      return kBlockDevice;
    case S_IFIFO:
      return kFifo;
    case S_IFSOCK:
      return kSocket;
    default:
      throw Error(Kind::kImage, "a file of it has no type");
  }
}

/// What files of ext4 and of squashfs say alike.
template <class File>
FileRow row_of_file(const File& file) {
  FileRow row;
  row.type = type_of(file.mode);
  row.mode = row.type == kSymlink ? 0 : file.mode & 07777;
  row.uid = file.uid;
  row.gid = file.gid;
  row.size = file.size;
  row.target = file.link_target;
  row.device_major = file.device_major;
  row.device_minor = file.device_minor;
  return row;
}

void read_ext4(const ImageBytes& bytes, Comparison& comparison) {
  const image::Ext4Files files(bytes);
  comparison.allow_own("lost+found");
  files.visit([&](const image::Ext4File& file) {
    FoundFile found{file.path, row_of_file(file), {}};
    found.row.attributes = digest_of_attributes(files.attributes(file.inode));
    if (file.is_regular) {
      const std::uint32_t inode = file.inode;
      found.read = [&files, inode](const TakeContent& take) { files.read(inode, take); };
    }
    comparison.take(found);
  });
}

void read_squashfs(const ImageBytes& bytes, Comparison& comparison) {
  const image::SquashfsFiles files(bytes);
  files.visit([&](const image::SquashfsFile& file) {
    FoundFile found{file.path, row_of_file(file), file.read};
    found.row.attributes = digest_of_attributes(file.attributes);
    comparison.take(found);
  });
}

/// What is read of the file system that begins here; empty when it is none.
std::string read_file_system(const ImageBytes& bytes, Comparison& comparison) {
  const Content content = artifacts::recognise(bytes.text(0, kHead), artifacts::Among::kFileSystems);
  if (content == Content::kExt4) {
    read_ext4(bytes, comparison);
  } else if (content == Content::kSquashfs) {
    read_squashfs(bytes, comparison);
  } else {
    return {};
  }
  return std::string(artifacts::content_name(content));
}

/// The partition that imgforge starts the system from: the first of type root (x86-64), else the first with a
/// squashfs.
image::BytePartition find_root(const ImageBytes& disk) {
  std::optional<image::BytePartition> squashfs;
  for (const image::BytePartition& part : image::partitions_in(disk)) {
    if (part.type_uuid == image::kRootX86Type) return part;
    if (!squashfs && artifacts::begins_as(disk.text(part.start, kHead), Content::kSquashfs)) squashfs = part;
  }
  if (squashfs) return *squashfs;
  throw Error(Kind::kImage, "the disk has no root partition");
}

std::string read_disk(const ImageBytes& disk, Comparison& comparison) {
  const image::BytePartition root = find_root(disk);
  const std::string found = read_file_system(PartBytes(disk, root.start, root.size), comparison);
  if (found.empty()) throw Error(Kind::kImage, "the root partition holds neither ext4 nor squashfs");
  return found;
}

std::string read_medium(const ImageBytes& medium, Comparison& comparison) {
  std::optional<compare::IsoRecord> root;
  compare::visit_iso([&](std::uint64_t offset, std::size_t size) { return medium.text(offset, size); }, {},
                     [&](const std::string& path, const compare::IsoRecord& record) {
                       if (path == image::kMediumRoot && !record.is_directory) root = record;
                     });
  if (!root) throw Error(Kind::kImage, fmt::format("the medium has no {}", image::kMediumRoot));
  const std::string found = read_file_system(PartBytes(medium, root->extent, root->size), comparison);
  if (found != "squashfs") throw Error(Kind::kImage, fmt::format("{} is no squashfs", image::kMediumRoot));
  return found;
}

}  // namespace

Readable readable(const artifacts::ManifestArtifact& artifact) {
  const artifacts::Format* format = artifacts::find_format(artifact.format);
  const std::string role = artifacts::role_of(artifact);
  if (format == nullptr) return Readable::kNotYet;
  if (role != (format->root == RootPlace::kFiles ? "root" : "image")) return Readable::kNo;
  const bool is_foreign_disk =
      format->root == RootPlace::kDisk && artifact.format != "raw" && artifact.format != "qcow2";
  return is_foreign_disk || artifacts::is_packed(artifact) ? Readable::kNotYet : Readable::kYes;
}

std::string read_image(int fd, const std::string& name, std::string_view format, Comparison& comparison) {
  const image::FileBytes file(fd, name);
  const auto read_qcow2 = [&](const ImageBytes& bytes) {
    return read_disk(image::Qcow2Bytes(bytes, name), comparison) + " in qcow2";
  };
  switch (artifacts::find_format(format)->root) {
    case RootPlace::kDisk:
      return format == "qcow2" ? read_qcow2(file) : read_disk(file, comparison) + " on the disk";
    case RootPlace::kStick:
      return read_disk(file, comparison) + " on the stick";
    case RootPlace::kMedium:
      return read_medium(file, comparison) + " on the medium";
    case RootPlace::kFiles: {
      std::string found = read_file_system(file, comparison);
      if (found.empty()) throw Error(Kind::kImage, "it is no squashfs");
      return found;
    }
    case RootPlace::kTar:
      read_root_tar(fd, name, comparison);
      return "tar";
    case RootPlace::kLayers:
      read_layer(fd, name, comparison);
      return "layer of the container image";
    case RootPlace::kBundle: {
      const MemberPlace disk = find_disk(fd, name);
      return read_qcow2(PartBytes(file, disk.offset, disk.size));
    }
  }
  throw Error(Kind::kInternal, "a format of no place");
}

}  // namespace imgforge::content
