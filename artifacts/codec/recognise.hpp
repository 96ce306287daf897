// What a file is, by bytes at fixed places near its beginning: one table for all who must know before they
// read on. A file can begin as several things at once (a FAT file system ends its first sector like a
// partition table), so whoever asks says among what to choose.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace imgforge::artifacts {

enum class Content {
  kUnknown,
  kGzip,
  kXz,
  kZstd,
  kBzip2,
  kTar,
  kQcow2,
  kVmdk,            ///< sparse extent: the disk's bytes are in the file
  kVmdkDescriptor,  ///< text that names the files of the disk
  kVhdx,
  kVdi,
  kIso,
  kKernel,      ///< of Linux, for x86
  kPartitions,  ///< a raw disk with an MBR, also one before a GPT
  kExt4,
  kSquashfs,
  kVerityTree,  ///< superblock of dm-verity's hash tree
  kFat,
};

enum class Among {
  kCompressions,
  kFiles,  ///< compressions, archives, disks and media
  kFileSystems,
};

/// What `head`, the beginning of a file or partition, shows; kUnknown for anything that is not in the table.
Content recognise(std::string_view head, Among among);
/// The same for what begins at `offset` of a regular file. Throws kIo.
Content recognise_file(const std::filesystem::path& file, Among among, std::uint64_t offset = 0);
/// Whether `head` begins as one kind does, whatever else it may be.
bool begins_as(std::string_view head, Content content);
/// "gzip", "qcow2", "iso", "ext4", ...: the word of manifests, recipes and the appliance. Disks with
/// partitions are "raw", FAT is "vfat", and kUnknown is "".
std::string_view content_name(Content content);

}  // namespace imgforge::artifacts
