// Which files of this machine are in the images of each format.
#include "builder/formats/host_files.hpp"

#include <gmock/gmock.h>

#include <set>

#include "artifacts/manifest/formats.hpp"

namespace imgforge::formats {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::vector<std::string> names(const recipe::ResolvedRecipe& recipe, std::string_view format) {
  std::vector<std::string> out;
  for (const std::filesystem::path& file : host_files(recipe, format)) {
    EXPECT_TRUE(file.is_absolute() && std::filesystem::is_regular_file(file)) << file;
    out.push_back(file.filename());
  }
  return out;
}

TEST(HostFilesOfFormats, DisksAndSticksHoldLoadersOfBothFirmwares) {
  recipe::ResolvedRecipe recipe;
  for (const char* format : {"raw", "qcow2", "vmdk", "vhdx", "vdi", "vm", "usb"})
    EXPECT_THAT(names(recipe, format), UnorderedElementsAre("systemd-bootx64.efi", "gptmbr.bin", "syslinux"))
        << format;
  recipe.boot_menu.timeout = 3;
  EXPECT_THAT(names(recipe, "raw"), UnorderedElementsAre("systemd-bootx64.efi", "gptmbr.bin", "syslinux",
                                                         "menu.c32", "libutil.c32"));
}

TEST(HostFilesOfFormats, ASignedDiskHoldsTheStubAndNothingForBios) {
  recipe::ResolvedRecipe recipe;
  recipe.secure_boot.emplace();
  EXPECT_THAT(names(recipe, "raw"), UnorderedElementsAre("systemd-bootx64.efi", "linuxx64.efi.stub"));
}

TEST(HostFilesOfFormats, AMediumHoldsIsolinux) {
  EXPECT_THAT(names({}, "iso"),
              UnorderedElementsAre("systemd-bootx64.efi", "isolinux.bin", "ldlinux.c32", "isohdpfx.bin"));
}

TEST(HostFilesOfFormats, WhatStartsNothingByItselfHoldsNone) {
  for (const char* format : {"rootfs", "oci", "netboot"}) EXPECT_THAT(names({}, format), IsEmpty()) << format;
}

}  // namespace
}  // namespace imgforge::formats
