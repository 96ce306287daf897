#include "builder/image/disk/esp.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "builder/image/raw_image.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr std::uint64_t kMinimumSize = 32 * kMebibyte;
constexpr std::uint64_t kLeastFat16 = 10 * kMebibyte;  // at least 4085 clusters of 2 KiB
constexpr std::uint64_t kSlack = 8 * kMebibyte;
constexpr std::uint64_t kLargestFile = 0xFFFFFFFF;     // FAT's size field has 32 bits
constexpr std::uint64_t kFat32From = 512 * kMebibyte;  // below, FAT16 has small enough clusters
constexpr std::int64_t kFatEpoch = 315532800;          // 1980-01-01, the first day that FAT can tell

std::map<std::string, std::string> mtools_environment(const EspOptions& options) {
  return {{"MTOOLSRC", "/dev/null"},
          {"MTOOLS_SKIP_CHECK", "1"},
          {"SOURCE_DATE_EPOCH", std::to_string(std::max(options.epoch, kFatEpoch))}};
}

void run_mtools(const char* program, std::vector<std::string> args, const std::filesystem::path& image,
                const EspOptions& options, core::ProcessRunner& processes, const core::CancelToken& cancel) {
  core::Command command;
  command.program = program;
  command.args = {"-i", fmt::format("{}@@{}", image.native(), options.offset)};
  command.args.insert(command.args.end(), args.begin(), args.end());
  command.environment = mtools_environment(options);
  processes.check(command, cancel, Kind::kImage);
}

void format_fat(const std::filesystem::path& image, const EspOptions& options, core::ProcessRunner& processes,
                const core::CancelToken& cancel) {
  const std::uint64_t start = options.offset / kSectorSize;
  core::Command command;
  command.program = "mkfs.vfat";
  command.args = {"--invariant",
                  "-F",
                  options.size < kFat32From ? "16" : "32",
                  "-i",
                  fmt::format("{:08X}", options.volume_id),
                  "-n",
                  options.label,
                  "-h",
                  std::to_string(start),
                  "--offset",
                  std::to_string(start),
                  image.native(),
                  std::to_string(options.size / 1024)};
  command.environment = mtools_environment(options);
  processes.check(command, cancel, Kind::kImage);
}

/// All folders above the files, outer ones first.
std::vector<std::string> folders_of(const std::vector<MediumFile>& files) {
  std::set<std::string> folders;
  for (const MediumFile& file : files) {
    for (std::size_t slash = file.path.find('/'); slash != std::string::npos;
         slash = file.path.find('/', slash + 1)) {
      folders.insert("::/" + file.path.substr(0, slash));
    }
  }
  return {folders.begin(), folders.end()};
}

}  // namespace

std::uint64_t esp_size(const std::vector<MediumFile>& files, EspRoom room) {
  std::uint64_t contents = 0;
  for (const MediumFile& file : files) {
    const core::Fd fd = core::open_regular(file.source);
    const std::uint64_t size = core::file_size(fd.get(), file.source.native());
    if (size > kLargestFile) {
      throw Error(Kind::kImage,
                  fmt::format("{} takes {} bytes, a FAT file system holds at most 4 GiB in a file",
                              core::escaped(file.path), size));
    }
    contents += round_up(size, 64 << 10);
  }
  if (room == EspRoom::kNone) return std::max(kLeastFat16, round_up(contents + kMebibyte, kMebibyte));
  return std::max(kMinimumSize, round_up(contents + kSlack, kMebibyte));
}

void make_esp(const std::filesystem::path& image, const std::vector<MediumFile>& files,
              const EspOptions& options, core::ProcessRunner& processes, const core::CancelToken& cancel) {
  format_fat(image, options, processes, cancel);
  if (const std::vector<std::string> folders = folders_of(files); !folders.empty()) {
    run_mtools("mmd", folders, image, options, processes, cancel);
  }
  for (const MediumFile& file : files) {
    run_mtools("mcopy", {std::filesystem::absolute(file.source).native(), "::/" + file.path}, image, options,
               processes, cancel);
  }
}

void install_syslinux(const std::filesystem::path& image, const std::string& folder,
                      const EspOptions& options, const std::filesystem::path& work_dir,
                      core::ProcessRunner& processes, const core::CancelToken& cancel) {
  core::Command command;
  command.program = "syslinux";
  command.args = {"--offset",    std::to_string(options.offset), "--directory", folder, "--install",
                  image.native()};
  command.environment = mtools_environment(options);
  command.environment.erase("MTOOLSRC");  // syslinux tells mtools about the image through a file of its own
  command.environment["TMPDIR"] = work_dir.native();
  processes.check(command, cancel, Kind::kImage);
}

}  // namespace imgforge::image
