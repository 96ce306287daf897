#include "builder/image/fs/squashfs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/tar/tar.hpp"
#include "builder/image/fs/rootfs_archive.hpp"
#include "core/error.hpp"
#include "core/new_file.hpp"

namespace imgforge::image {
namespace {

/// mksquashfs passes over the member "." and takes the attributes of the root directory from its arguments.
std::vector<std::string> root_arguments(const std::filesystem::path& tar) {
  artifacts::TarReader reader(tar, rootfs_policy());
  artifacts::TarEntry entry;
  entry.path.clear();
  if (!reader.next(entry) || entry.path != ".") {
    throw core::Error(core::Kind::kImage,
                      fmt::format("{} does not begin with the root directory", tar.native()));
  }
  return {"-root-mode", fmt::format("{:o}", entry.mode), "-root-uid", std::to_string(entry.uid),
          "-root-gid",  std::to_string(entry.gid)};
}

}  // namespace

void make_squashfs(const std::filesystem::path& tar, const std::filesystem::path& output, std::int64_t epoch,
                   core::ProcessRunner& processes, const core::CancelToken& cancel, int level) {
  core::Command command;
  command.program = "mksquashfs";  // sqfstar 4.5 writes the same and takes no level
  command.args = {"-",
                  std::filesystem::absolute(output).native(),
                  "-tar",
                  "-comp",
                  "zstd",
                  "-Xcompression-level",
                  std::to_string(level),
                  "-quiet",
                  "-no-progress"};
  for (std::string& word : root_arguments(tar)) command.args.push_back(std::move(word));
  // Also the time of the root directory, for which version 4.5 takes no notice of -root-time.
  command.environment["SOURCE_DATE_EPOCH"] = std::to_string(epoch);
  command.input_file = tar;
  core::UnfinishedFile made(output);
  processes.check(command, cancel, core::Kind::kImage);
  made.keep();
}

std::size_t check_squashfs(const std::filesystem::path& file, core::ProcessRunner& processes,
                           const core::CancelToken& cancel) {
  core::Command command;
  command.program = "unsquashfs";
  command.args = {"-quiet", "-no-progress", "-lc", std::filesystem::absolute(file).native()};
  command.output_limit = 256u << 20;
  const core::ProcessResult result = processes.check(command, cancel, core::Kind::kImage);
  return static_cast<std::size_t>(std::count(result.out.begin(), result.out.end(), '\n'));
}

}  // namespace imgforge::image
