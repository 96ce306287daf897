// The root file system inside an artifact, whatever carries it: found, and read as far as somebody asks.
// Tars are read on the host; disks and squashfs images by the kernel of the appliance, read-only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "builder/guest/appliance/guest.hpp"
#include "builder/image/disk/gpt.hpp"
#include "builder/machine/accelerator.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"
#include "core/progress.hpp"

namespace imgforge::inspect {

/// What looking into artifacts may use.
struct InspectTools {
  core::ProcessRunner& processes;
  core::Progress& progress;
  core::CancelToken cancel;
  std::filesystem::path cache_dir;
  std::filesystem::path work;  ///< a private folder for unpacked disks
};

/// A partition with what is in it.
struct FoundPartition {
  image::GptPartition entry;
  std::string file_system;  ///< "ext4", "vfat", "squashfs", "verity", or empty
};

/// Where the root file system is.
struct RootSource {
  enum class Kind { kNone, kTar, kDisk } kind = Kind::kNone;
  std::filesystem::path path;  ///< the tar, or a raw disk or squashfs file
  unsigned partition = 0;      ///< of the disk, from 1; 0: the file is the file system
  std::string file_system;     ///< "ext4", "squashfs"
};

/// What was found in an artifact without asking its manifest.
struct FoundArtifact {
  std::string format;
  std::uint64_t virtual_size = 0;
  std::string disk_uuid;
  std::vector<FoundPartition> partitions;
  std::vector<std::string> boot_entries;  ///< titles, or file names, of the boot menu; the default first
  std::string kernel_cmdline;             ///< of the first entry
  RootSource root;
};

/// "ext4", "squashfs", "vfat", "verity", or "" for anything else, by the magic numbers at `offset`.
std::string file_system_at(const std::filesystem::path& file, std::uint64_t offset);
/// Looks into a file of the format; disks are unpacked into `tools.work`. Throws kImage for damage.
FoundArtifact find_root(const std::filesystem::path& file, const std::string& format,
                        const InspectTools& tools);

/// What a root file system says of itself.
struct RootFacts {
  std::map<std::string, std::string> os_release;  ///< members of /etc/os-release
  std::map<std::string, std::string> packages;    ///< name and version, of /lib/apk/db/installed
  std::vector<std::string> kernels;               ///< names in /lib/modules
};
RootFacts read_root_facts(const RootSource& root, const InspectTools& tools);
/// The root file system as a tar, which is `root.path` itself or a new file in `tools.work`.
std::filesystem::path root_as_tar(const RootSource& root, const InspectTools& tools);

/// Reads KEY=value lines with the quotes of a shell (os-release(5)). What comes out of both is printable
/// UTF-8.
std::map<std::string, std::string> parse_os_release(std::string_view text);
/// P: and V: of the installed database of apk.
std::map<std::string, std::string> parse_installed(std::string_view text);

}  // namespace imgforge::inspect
