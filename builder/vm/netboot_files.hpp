// A netboot artifact is four files in one folder: <stem>-vmlinuz, <stem>-initramfs.img, <stem>-root.squashfs
// and <stem>.ipxe. Any of them names the set. Here they are found and made ready for a boot without a
// network.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "artifacts/manifest/manifest.hpp"

namespace imgforge::vm {

struct NetbootFiles {
  std::filesystem::path kernel;
  std::filesystem::path initramfs;
  std::filesystem::path root;    ///< squashfs; empty: none
  std::filesystem::path script;  ///< for iPXE
};

/// True when `file` is named as one of a set whose kernel is beside it.
bool is_netboot_set(const std::filesystem::path& file);

/// The set that `file` belongs to, by the roles of the manifest's rows when there are some, else by name.
/// Throws kUsage when a file is missing.
NetbootFiles find_netboot_files(const std::filesystem::path& file, const artifacts::Manifest* manifest);

/// Writes `root` as /root.squashfs of a cpio archive, to be unpacked beside the initramfs.
void write_root_archive(const std::filesystem::path& root, const std::filesystem::path& archive);

}  // namespace imgforge::vm
