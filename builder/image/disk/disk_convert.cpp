#include "builder/image/disk/disk_convert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "builder/image/disk/foreign/foreign_disk.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kDiskFormats{"raw", "qcow2", "vdi", "vhdx", "vmdk"};

ForeignFormat foreign_format(std::string_view format) {
  for (const ForeignFormat foreign : {ForeignFormat::kVmdk, ForeignFormat::kVhdx, ForeignFormat::kVdi}) {
    if (foreign_format_name(foreign) == format) return foreign;
  }
  throw Error(Kind::kInternal, fmt::format("{} is no format of a disk", format));
}

/// Refuses what would make qemu-img read other files.
void check_source(const fs::path& source, std::string_view format, core::ProcessRunner& processes,
                  const core::CancelToken& cancel) {
  if (format == "qcow2") {
    check_qcow2(source, processes, cancel);
  } else {
    check_foreign_disk(source, foreign_format(format), processes, cancel);
  }
}

}  // namespace

std::span<const std::string_view> disk_formats() {
  return kDiskFormats;
}

bool is_disk_format(std::string_view format) {
  return std::find(kDiskFormats.begin(), kDiskFormats.end(), format) != kDiskFormats.end();
}

Error full_disk_error(Error error) {
  for (const char* sign : {"File too large", "No space left on device", "Disk quota exceeded"}) {
    if (error.quote().find(sign) == std::string::npos) continue;
    Error full(Kind::kNoSpace, fmt::format("{}: {}", error.message(), sign));
    full.quote(error.quote());
    return full;
  }
  return error;
}

void unpack_disk(const fs::path& source, std::string_view format, const fs::path& raw,
                 core::ProcessRunner& processes, const core::CancelToken& cancel) {
  if (format == "raw") return core::clone_file(source, raw);
  if (fs::exists(fs::symlink_status(raw))) throw Error(Kind::kImage, raw.native() + " exists already");
  check_source(source, format, processes, cancel);
  core::Command command;
  command.program = "qemu-img";
  // Absolute, so that qemu never reads a protocol or an option out of a name.
  command.args = {"convert",
                  "-f",
                  std::string(format),
                  "-O",
                  "raw",
                  fs::absolute(source).native(),
                  fs::absolute(raw).native()};
  command.timeout = std::chrono::hours(2);
  core::UnfinishedFile made(raw);
  try {
    processes.check(command, cancel, Kind::kImage);
  } catch (Error& error) {
    throw full_disk_error(error);
  }
  made.keep();
}

void pack_disk(const fs::path& raw, std::string_view format, const fs::path& output,
               const PackOptions& options, core::ProcessRunner& processes, const core::CancelToken& cancel) {
  try {
    if (format == "raw") {
      core::clone_file(raw, output);
    } else if (format == "qcow2") {
      write_qcow2(raw, output, options.compression, processes, cancel);
    } else {
      write_foreign_disk(raw, output, foreign_format(format), options.identity, processes, cancel);
    }
  } catch (Error& error) {
    throw full_disk_error(error);
  }
}

}  // namespace imgforge::image
