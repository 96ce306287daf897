// Alpine's own ISO images: telling one from any other file, reading single files out of it, and writing it
// again with one file more and its boot set-up kept. All through xorriso, which never follows a link of the
// image on this machine. Layout of the medium: https://wiki.alpinelinux.org/wiki/Diskless_Mode
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "builder/image/medium/iso.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::image {

/// What was found in an image that is Alpine's.
struct AlpineIso {
  std::string title;     ///< of .alpine-release: "alpine-virt-3.22.2 251008"
  std::string kernel;    ///< path of the first kernel: "boot/vmlinuz-virt"
  std::string packages;  ///< folder of the packages: "apks/x86_64"
  IsoFacts facts;
  std::map<std::string, std::uint64_t> files;  ///< regular files, by path, with their sizes in bytes
};

/// Examines an image. Throws kImage: not a whole ISO image, "is not an Alpine ISO image" with all that is
/// missing, not able to start, or configured already (an apkovl at its root).
AlpineIso examine_alpine_iso(const std::filesystem::path& file, const std::string& arch,
                             const std::filesystem::path& work_dir, core::ProcessRunner& processes,
                             const core::CancelToken& cancel);

/// Copies regular files out of the image into the empty folder `target`, under their last name. Throws kImage
/// when one is not a regular file of the image or larger than `limit` bytes.
void extract_files(const std::filesystem::path& file, const AlpineIso& iso,
                   const std::vector<std::string>& paths, std::uint64_t limit,
                   const std::filesystem::path& target, core::ProcessRunner& processes,
                   const core::CancelToken& cancel);

struct RemasterSpec {
  std::string volume_id;  ///< empty: as before
  std::string name;       ///< of the new file at the root of the medium
  std::filesystem::path content;
  std::int64_t epoch = 0;  ///< the time of all files and of the volume
};

/// Writes `output` (must not exist; removed again on failure): the image with the new file, starting as
/// before. Equal arguments give equal bytes. Throws kImage.
void remaster_iso(const std::filesystem::path& file, const AlpineIso& iso, const RemasterSpec& spec,
                  const std::filesystem::path& output, core::ProcessRunner& processes,
                  const core::CancelToken& cancel);

}  // namespace imgforge::image
