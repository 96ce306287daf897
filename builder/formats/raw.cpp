#include <fmt/format.h>

#include "builder/formats/records.hpp"
#include "builder/formats/tool_lists.hpp"
#include "builder/image/disk/gpt.hpp"
#include "core/fd.hpp"

namespace imgforge::formats {
namespace {

MadeFormat make(Intermediates& parts, const std::filesystem::path& folder) {
  const Intermediates::Disk& disk = parts.disk();
  const std::filesystem::path output = folder / "artifact.raw";
  core::clone_file(disk.path, output);
  return {{{"image", output, parts.recipe().disk.size.value}}, disk.layout.cmdline};
}

FoundFile check(const std::filesystem::path& file, std::string_view, core::ProcessRunner&,
                const core::CancelToken&) {
  return {fmt::format("GPT, {} partitions", image::check_gpt(file))};
}

}  // namespace

const Format kRaw{"raw", kDiskTools, {}, make, check};

}  // namespace imgforge::formats
