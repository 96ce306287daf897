// dm-verity: a hash tree over a file system that never changes, so that the kernel finds every changed block
// when it is read. Made by veritysetup on plain files, without root.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

/// Size of superblock and tree, in bytes, for so many bytes of data: blocks of 4 KiB, SHA-256.
std::uint64_t verity_size(std::uint64_t data_size);

/// Writes the hash tree of the file `data` (whole blocks of 4 KiB) to the new file `tree`, with the
/// superblock in front. Salt and UUID derive from `identity`: equal arguments give equal bytes. Returns the
/// root hash, 64 hexadecimal digits. Throws kMachine when veritysetup is missing, kImage.
std::string make_verity_tree(const std::filesystem::path& data, const std::filesystem::path& tree,
                             const std::string& identity, core::ProcessRunner& processes,
                             const core::CancelToken& cancel);

/// Checks with veritysetup that `tree` and `root_hash` are those of `data`. Throws kIntegrity.
void check_verity_tree(const std::filesystem::path& data, const std::filesystem::path& tree,
                       const std::string& root_hash, core::ProcessRunner& processes,
                       const core::CancelToken& cancel);

/// Words of the kernel command line with which the initramfs opens root through the tree. `tree_device` is
/// written as root= is: "UUID=...", "/dev/...".
std::vector<std::string> verity_words(const std::string& root_hash, const std::string& tree_device);

}  // namespace imgforge::image
