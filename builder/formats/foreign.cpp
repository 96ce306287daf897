// vmdk, vhdx and vdi: the same steps with another name.
#include <fmt/format.h>

#include "builder/formats/records.hpp"
#include "builder/formats/tool_lists.hpp"
#include "builder/image/disk/foreign/foreign_disk.hpp"
#include "core/text.hpp"

namespace imgforge::formats {
namespace {

/// VirtualBox refuses a second disk with the identifiers of the first, so images of other lines, sizes and
/// command lines have others, however equal their root is.
std::string identity_of(Intermediates& parts) {
  return fmt::format("{} {}", parts.medium_identity(parts.recipe().disk.size),
                     core::join(parts.disk().layout.cmdline, " "));
}

template <image::ForeignFormat kKind>
MadeFormat make(Intermediates& parts, const std::filesystem::path& folder) {
  const Intermediates::Disk& disk = parts.disk();
  // The name stands inside a vmdk, so it is always the same.
  const std::filesystem::path output = folder / fmt::format("disk.{}", image::foreign_format_name(kKind));
  image::write_foreign_disk(disk.path, output, kKind, identity_of(parts), parts.processes(), parts.cancel());
  return {{{"image", output, parts.recipe().disk.size.value}}, disk.layout.cmdline};
}

template <image::ForeignFormat kKind>
FoundFile check(const std::filesystem::path& file, std::string_view, core::ProcessRunner& processes,
                const core::CancelToken& cancel) {
  const core::Bytes size = image::check_foreign_disk(file, kKind, processes, cancel);
  return {fmt::format("{}, {} disk, no errors found", image::foreign_format_name(kKind), size.to_string()),
          size.value};
}

}  // namespace

const Format kVmdk{
    "vmdk", kDiskTools, {}, make<image::ForeignFormat::kVmdk>, check<image::ForeignFormat::kVmdk>};
const Format kVhdx{
    "vhdx", kDiskTools, {}, make<image::ForeignFormat::kVhdx>, check<image::ForeignFormat::kVhdx>};
const Format kVdi{"vdi", kDiskTools, {}, make<image::ForeignFormat::kVdi>, check<image::ForeignFormat::kVdi>};

}  // namespace imgforge::formats
