// A machine in one file, for another host: a tar, packed by zstd or not, of
//
//   bundle.json       what the machine is, the digest of the image that it stands on, and the next files
//   disk.qcow2        what it wrote
//   variables.qcow2   UEFI's variables, where there are some
//
// in this order, without anything else. It is read with suspicion: names, sizes and digests are those of
// bundle.json, and no file leads to another one of the host that reads it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "builder/machines/registry/settings.hpp"
#include "core/cancel.hpp"
#include "core/digest.hpp"
#include "core/process.hpp"

namespace imgforge::machines {

struct BundleFile {
  std::string name;
  std::uint64_t size = 0;
  core::Digest sha256;
  bool operator==(const BundleFile&) const = default;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("name", self.name);
    visit("size", self.size);
    visit("sha256", self.sha256);
  }
};

struct BundleHead {
  unsigned schema = 1;
  Settings settings;
  core::Digest base;                 ///< of the image that the disk stands on, or of the ISO image beside it
  std::uint64_t disk_size = 0;       ///< bytes that the machine sees
  std::uint64_t variables_size = 0;  ///< likewise of UEFI's variables; 0: BIOS
  std::vector<BundleFile> files;     ///< none: the content of the disk comes otherwise
  bool operator==(const BundleHead&) const = default;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("schema", self.schema);
    visit("settings", self.settings);
    visit("base", self.base);
    visit("disk_size", self.disk_size);
    visit("variables_size", self.variables_size);
    visit("files", self.files);
  }
};

std::string print_head(const BundleHead& head);
/// Throws kIntegrity.
BundleHead parse_head(std::string_view text);

/// Bytes of its files.
std::uint64_t size_of(const BundleHead& head);
/// Throws kNoSpace when the file system of a folder, which need not be there yet, has not that many bytes
/// left.
void check_room(std::uint64_t needed, const std::filesystem::path& folder);

enum class DiskContent { kIn, kLeftOut };
/// Hashes what a stopped machine has. `base` is the digest of what it stands on.
BundleHead describe(const std::filesystem::path& folder, const Settings& settings, const core::Digest& base,
                    DiskContent content);

/// Writes the tar. The machine must not run meanwhile. Throws kIntegrity when a file is not what `head` says.
void write_bundle(int fd, const std::string& name, const BundleHead& head,
                  const std::filesystem::path& folder);

/// Reads bundle.json, which has to be first. Throws kArchive, kUnsafe, kIntegrity.
BundleHead read_head(artifacts::TarReader& tar);
/// Reads the other files into `folder`, to the end of the archive. Throws likewise, kImage for a disk that
/// cannot be that of a machine, kNoSpace before it begins when they do not fit.
void unpack(artifacts::TarReader& tar, const BundleHead& head, const std::filesystem::path& folder);
artifacts::TarPolicy bundle_policy();

/// Lets a disk that came from elsewhere stand on nothing, and checks it so: whatever it names is not opened.
void take_off(const std::filesystem::path& disk, core::ProcessRunner& processes,
              const core::CancelToken& cancel);
/// Lets it stand on `backing` (empty: on nothing), which counts from the folder of the disk.
void stand_on(const std::filesystem::path& disk, const std::string& backing, const std::string& format,
              core::ProcessRunner& processes, const core::CancelToken& cancel);

}  // namespace imgforge::machines
