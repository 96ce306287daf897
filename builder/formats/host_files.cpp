#include "builder/formats/host_files.hpp"

#include "artifacts/manifest/formats.hpp"
#include "builder/image/boot/boot_menu.hpp"
#include "builder/image/disk/boot_partition.hpp"
#include "builder/image/disk/disk.hpp"
#include "builder/image/medium/iso.hpp"
#include "builder/image/trust/uki.hpp"
#include "builder/machine/tools.hpp"

namespace imgforge::formats {
namespace {

namespace fs = std::filesystem;

void add_menu(std::vector<fs::path>& files, const recipe::ResolvedRecipe& recipe) {
  image::BootMenu menu;
  menu.timeout = recipe.boot_menu.timeout;
  for (const image::MediumFile& file : image::syslinux_menu_modules(menu, "")) files.push_back(file.source);
}

/// A partition table and a boot partition that BIOS starts too.
void add_syslinux(std::vector<fs::path>& files, const recipe::ResolvedRecipe& recipe) {
  files.push_back(image::gpt_boot_code_file());
  files.push_back(machine::require_program("syslinux"));
  add_menu(files, recipe);
}

}  // namespace

std::vector<fs::path> host_files(const recipe::ResolvedRecipe& recipe, std::string_view format) {
  std::vector<fs::path> files;
  switch (artifacts::find_format(format)->root) {
    case artifacts::RootPlace::kDisk:
    case artifacts::RootPlace::kBundle:
      files.push_back(image::systemd_boot_program());
      if (recipe.secure_boot) {
        files.push_back(image::uki_stub());
      } else {
        add_syslinux(files, recipe);
      }
      break;
    case artifacts::RootPlace::kStick:
      files.push_back(image::systemd_boot_program());
      add_syslinux(files, recipe);
      break;
    case artifacts::RootPlace::kMedium: {
      files.push_back(image::systemd_boot_program());
      const image::Isolinux loader = image::isolinux();
      files.insert(files.end(), {loader.program, loader.core, loader.boot_sector});
      add_menu(files, recipe);
      break;
    }
    case artifacts::RootPlace::kTar:
    case artifacts::RootPlace::kLayers:
    case artifacts::RootPlace::kFiles:
      break;
  }
  return files;
}

}  // namespace imgforge::formats
