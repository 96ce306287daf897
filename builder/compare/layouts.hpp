// What stands where in the headers of disks and file systems. Each table names its specification.
#pragma once

#include <span>

#include "builder/compare/report/fields.hpp"

namespace imgforge::compare {

/// The first sector of a disk; 512 bytes. UEFI specification 5.2.1 and 5.2.3.
std::span<const Field> mbr_fields();
/// UEFI specification 5.3.2; 92 bytes.
std::span<const Field> gpt_header_fields();
/// UEFI specification 5.3.3; 128 bytes.
std::span<const Field> gpt_entry_fields();
/// Linux, Documentation/filesystems/ext4/super.rst; 1024 bytes.
std::span<const Field> ext4_superblock_fields();
/// Linux, Documentation/filesystems/ext4/group_descr.rst; 32 or 64 bytes.
std::span<const Field> ext4_group_fields();
/// Linux, Documentation/filesystems/ext4/inodes.rst; 128 or 256 bytes.
std::span<const Field> ext4_inode_fields();
/// Linux, fs/squashfs/squashfs_fs.h, struct squashfs_super_block; 96 bytes.
std::span<const Field> squashfs_superblock_fields();
/// QEMU, docs/interop/qcow2.txt; 112 bytes.
std::span<const Field> qcow2_header_fields();
/// ECMA-119, 8.4; 2048 bytes.
std::span<const Field> iso_volume_fields();
/// El Torito Bootable CD-ROM Format 1.0, validation entry; 32 bytes.
std::span<const Field> el_torito_validation_fields();
/// The same, initial, default and section entries; 32 bytes.
std::span<const Field> el_torito_entry_fields();
/// Microsoft, FAT File System Specification (fatgen103), boot sector of FAT12 and FAT16; 512 bytes.
std::span<const Field> fat_boot_fields();
/// The same of FAT32.
std::span<const Field> fat32_boot_fields();
/// Linux, Documentation/admin-guide/device-mapper/verity.rst and cryptsetup's verity superblock; 512 bytes.
std::span<const Field> verity_superblock_fields();
/// POSIX.1-1988, ustar interchange format; 512 bytes.
std::span<const Field> tar_header_fields();
/// RFC 1952; 10 bytes.
std::span<const Field> gzip_header_fields();

}  // namespace imgforge::compare
