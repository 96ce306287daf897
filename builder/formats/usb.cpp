#include "builder/image/medium/usb.hpp"

#include <fmt/format.h>

#include <array>

#include "builder/formats/records.hpp"
#include "builder/formats/tool_lists.hpp"
#include "builder/image/disk/gpt.hpp"
#include "builder/image/medium/bmap.hpp"
#include "builder/image/write_file.hpp"
#include "core/bytes.hpp"

namespace imgforge::formats {
namespace {

MadeFormat make(Intermediates& parts, const std::filesystem::path& folder) {
  require_modules(parts.boot(), kLiveModules, "usb");
  image::UsbSpec spec;
  spec.data_size = parts.recipe().usb_data_size;
  spec.identity = parts.medium_identity(spec.data_size);
  spec.menu = parts.menu();
  spec.epoch = parts.epoch();
  const std::filesystem::path output = folder / "artifact-usb.img";
  const image::UsbLayout layout = image::make_usb(parts.squashfs(), parts.boot(), spec, output, folder,
                                                  parts.processes(), parts.cancel());
  const std::filesystem::path bmap = folder / "artifact-usb.img.bmap";
  image::write_file(bmap, image::make_bmap(output, layout.unused, parts.cancel()));
  return {{{"image", output}, {"bmap", bmap}}, layout.cmdline};
}

FoundFile check(const std::filesystem::path& file, std::string_view role, core::ProcessRunner&,
                const core::CancelToken& cancel) {
  if (role != "bmap") return {fmt::format("GPT, {} partitions", image::check_gpt(file))};
  std::filesystem::path image = file;
  image.replace_extension();
  const std::uint64_t blocks = image::check_bmap(file, image, cancel);
  return {
      fmt::format("block map of {}, every range agrees with the image", core::Bytes{blocks * 4096}.human())};
}

}  // namespace

constexpr std::array<std::string_view, 1> kSettings{"usb"};

const Format kUsb{"usb", kUsbTools, kSettings, make, check};

}  // namespace imgforge::formats
