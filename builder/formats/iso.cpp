#include "builder/image/medium/iso.hpp"

#include <fmt/format.h>

#include <array>

#include "builder/formats/records.hpp"
#include "builder/formats/tool_lists.hpp"
#include "core/error.hpp"

namespace imgforge::formats {
namespace {

constexpr std::array<std::string_view, 2> kMediumModules{"isofs", "loop"};

MadeFormat make(Intermediates& parts, const std::filesystem::path& folder) {
  require_modules(parts.boot(), kLiveModules, "iso");
  require_modules(parts.boot(), kMediumModules, "iso");
  image::IsoSpec spec;
  const std::string& chosen = parts.recipe().iso_volume_id;
  spec.volume_id = chosen.empty() ? image::volume_id_for(parts.recipe().line()) : chosen;
  spec.identity = parts.identity();
  spec.menu = parts.menu();
  spec.epoch = parts.epoch();
  const std::filesystem::path output = folder / "artifact.iso";
  const image::IsoResult iso = image::make_iso(parts.squashfs(), parts.boot(), spec, output, folder,
                                               parts.processes(), parts.cancel());
  return {{{"image", output, 0, {{"volume_id", spec.volume_id}}}}, iso.cmdline};
}

FoundFile check(const std::filesystem::path& file, std::string_view, core::ProcessRunner& processes,
                const core::CancelToken& cancel) {
  const image::IsoFacts facts = image::check_iso(file, processes, cancel);
  if (!facts.bios || !facts.uefi) {
    throw core::Error(core::Kind::kImage,
                      fmt::format("{} does not start on both BIOS and UEFI", file.native()));
  }
  return {fmt::format("ISO 9660 \"{}\", El Torito for BIOS and UEFI", facts.volume_id)};
}

}  // namespace

constexpr std::array<std::string_view, 1> kSettings{"iso"};

const Format kIso{"iso", kIsoTools, kSettings, make, check};

}  // namespace imgforge::formats
