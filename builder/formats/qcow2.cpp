#include "builder/image/disk/qcow2.hpp"

#include <fmt/format.h>

#include <array>

#include "builder/formats/qcow2.hpp"
#include "builder/formats/records.hpp"
#include "builder/formats/tool_lists.hpp"

namespace imgforge::formats {
namespace {

struct Choice {
  recipe::Qcow2Compression wanted;
  image::ClusterCompression clusters;
  std::string_view name;
};

constexpr Choice kChoices[] = {
    {recipe::Qcow2Compression::kZstd, image::ClusterCompression::kZstd, "zstd"},
    {recipe::Qcow2Compression::kZlib, image::ClusterCompression::kZlib, "zlib"},
    {recipe::Qcow2Compression::kNone, image::ClusterCompression::kNone, "none"},
};

const Choice& choice_of(recipe::Qcow2Compression wanted) {
  for (const Choice& choice : kChoices) {
    if (choice.wanted == wanted) return choice;
  }
  return kChoices[0];
}

MadeFormat make(Intermediates& parts, const std::filesystem::path& folder) {
  const Intermediates::Disk& disk = parts.disk();
  return {{write_qcow2_file(parts, folder / "artifact.qcow2")}, disk.layout.cmdline};
}

FoundFile check(const std::filesystem::path& file, std::string_view, core::ProcessRunner& processes,
                const core::CancelToken& cancel) {
  const image::Qcow2Facts facts = image::check_qcow2(file, processes, cancel);
  return {fmt::format("qcow2, {} disk, no errors found", facts.virtual_size.to_string()),
          facts.virtual_size.value};
}

}  // namespace

MadeFile write_qcow2_file(Intermediates& parts, const std::filesystem::path& output) {
  const Choice& choice = choice_of(parts.recipe().qcow2_compression);
  const image::Qcow2Facts facts =
      image::write_qcow2(parts.disk().path, output, choice.clusters, parts.processes(), parts.cancel());
  return {"image", output, facts.virtual_size.value, {{"compression", std::string(choice.name)}}};
}

constexpr std::array<std::string_view, 1> kSettings{"qcow2"};

const Format kQcow2{"qcow2", kDiskTools, kSettings, make, check};

}  // namespace imgforge::formats
