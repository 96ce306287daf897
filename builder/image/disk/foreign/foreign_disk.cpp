#include "builder/image/disk/foreign/foreign_disk.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <vector>

#include "artifacts/codec/recognise.hpp"
#include "builder/image/disk/foreign/foreign_identifiers.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using artifacts::Content;
using core::Error;
using core::Kind;
namespace fs = std::filesystem;

std::vector<std::string> convert_options(ForeignFormat format) {
  switch (format) {
    case ForeignFormat::kVmdk:
      return {"-o", "subformat=streamOptimized"};
    case ForeignFormat::kVhdx:
      return {"-o", "subformat=dynamic"};
    case ForeignFormat::kVdi:
      return {};
  }
  return {};
}

Content content_of(ForeignFormat format) {
  switch (format) {
    case ForeignFormat::kVmdk:
      return Content::kVmdk;
    case ForeignFormat::kVhdx:
      return Content::kVhdx;
    case ForeignFormat::kVdi:
      return Content::kVdi;
  }
  return Content::kUnknown;
}

void check_content(const fs::path& file, ForeignFormat format) {
  if (artifacts::recognise_file(file, artifacts::Among::kFiles) != content_of(format))
    throw Error(Kind::kImage, fmt::format("{} is no {} image", file.native(), foreign_format_name(format)));
}

}  // namespace

std::string_view foreign_format_name(ForeignFormat format) {
  switch (format) {
    case ForeignFormat::kVmdk:
      return "vmdk";
    case ForeignFormat::kVhdx:
      return "vhdx";
    case ForeignFormat::kVdi:
      return "vdi";
  }
  return "?";
}

void write_foreign_disk(const fs::path& raw, const fs::path& output, ForeignFormat format,
                        const std::string& identity, core::ProcessRunner& processes,
                        const core::CancelToken& cancel) {
  if (fs::exists(fs::symlink_status(output))) throw Error(Kind::kImage, output.native() + " exists already");
  core::Command command;
  command.program = "qemu-img";
  command.args = {"convert", "-f", "raw", "-O", std::string(foreign_format_name(format))};
  for (std::string& word : convert_options(format)) command.args.push_back(std::move(word));
  command.args.push_back(fs::absolute(raw).native());
  command.args.push_back(fs::absolute(output).native());
  core::UnfinishedFile made(output);
  processes.check(command, cancel, Kind::kImage);
  const std::string name = fmt::format("imgforge {} {}", foreign_format_name(format), identity);
  if (format == ForeignFormat::kVmdk) set_vmdk_identifiers(output, name);
  if (format == ForeignFormat::kVhdx) set_vhdx_identifiers(output, name);
  if (format == ForeignFormat::kVdi) set_vdi_identifiers(output, name);
  check_foreign_disk(output, format, processes, cancel);
  made.keep();
}

core::Bytes check_foreign_disk(const fs::path& file, ForeignFormat format, core::ProcessRunner& processes,
                               const core::CancelToken& cancel) {
  // Looked at first, because a vmdk may also be a text that names any file of the host as an extent.
  check_content(file, format);
  const std::string name(foreign_format_name(format));
  const std::string path = fs::absolute(file).native();
  core::Command command;
  command.program = "qemu-img";
  command.args = {"info", "--output=json", "-f", name, path};
  const core::Json info =
      core::parse_json(processes.check(command, cancel, Kind::kImage).out, "qemu-img info", {4u << 20, 64});
  if (info.contains("backing-filename")) {
    throw Error(Kind::kImage, fmt::format("{} is refused: it needs another file", file.native()));
  }
  command.args = {"check", "-q", "-f", name, path};
  if (const core::ProcessResult result = processes.run(command, cancel); result.exit_code != 0) {
    throw Error(Kind::kImage, file.native() + " is damaged").quote(core::tail_lines(result.out + result.err));
  }
  return core::Bytes{info.at("virtual-size").get<std::uint64_t>()};
}

}  // namespace imgforge::image
