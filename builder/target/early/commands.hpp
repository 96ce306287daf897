// The commands of the early program. Each returns when all is as wanted and otherwise ends the program with a
// message and exit code 1.
#pragma once

namespace imgforge::target {

/// Makes the read-only device /dev/mapper/<name> out of a data device and the hash tree that
/// `veritysetup format` wrote at the start of the hash device. Reading a block that the tree does not vouch
/// for is an I/O error.
void verity(const char* name, const char* data_device, const char* hash_device, const char* root_hash);

/// When the disk (a block device or a file) is larger than its GPT says: moves the second copy of the table
/// to the end of the disk and extends the partition, which must be the last one, to the last usable sector.
void grow(const char* disk, const char* partition_number);

/// Enlarges the mounted ext4 file system to the size of its device.
void resize(const char* mount_point, const char* device);

}  // namespace imgforge::target
