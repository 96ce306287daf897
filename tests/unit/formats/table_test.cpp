#include <gmock/gmock.h>

#include <set>

#include "artifacts/manifest/formats.hpp"
#include "builder/formats/format.hpp"
#include "builder/machine/tools.hpp"
#include "core/error.hpp"

namespace imgforge::formats {
namespace {

TEST(FormatTable, EveryFormatHasARecordAndTheOtherWayRound) {
  ASSERT_EQ(all().size(), artifacts::formats().size());
  for (std::size_t i = 0; i < all().size(); ++i) EXPECT_EQ(all()[i]->name, artifacts::formats()[i].name);
  EXPECT_EQ(
      &find("iso"),
      all()[std::distance(artifacts::kFormatNames.begin(),
                          std::find(artifacts::kFormatNames.begin(), artifacts::kFormatNames.end(), "iso"))]);
  try {
    find("floppy");
    FAIL() << "no error was thrown";
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::Kind::kImage);
  }
}

TEST(FormatTable, SuffixesTellAllFilesOfAReleaseApart) {
  std::set<std::string_view> suffixes;
  for (const artifacts::Format& format : artifacts::formats()) {
    for (const artifacts::FormatFile& file : format.files) {
      EXPECT_TRUE(suffixes.insert(file.suffix).second) << file.suffix;
      EXPECT_EQ(artifacts::format_suffix(format, file.role), file.suffix);
    }
  }
}

TEST(FormatTable, DisksThatAKernelCannotDriveAreNamed) {
  image::BootFiles boot;
  boot.kernels.push_back(
      {"6.6.1-small", {}, {}, {}, 1, {"vmw_pvscsi", "mptspi", "ahci", "ata_piix", "nvme"}});
  for (const char* format : {"qcow2", "raw", "vm", "vhdx", "iso", "usb", "rootfs"})
    EXPECT_EQ(missing_disk_drivers(boot, format), "") << format;
  EXPECT_EQ(missing_disk_drivers(boot, "vdi"),
            "the kernel 6.6.1-small has no driver for VirtualBox's SATA, SCSI and IDE disks (ahci, mptspi, "
            "ata_piix): "
            "vdi will not find its root there");
  EXPECT_NE(missing_disk_drivers(boot, "vmdk"), "");
  boot.kernels.front().lacks.pop_back();
  EXPECT_EQ(missing_disk_drivers(boot, "vmdk"), "");
}

TEST(FormatTable, ToolsAreInTheToolTable) {
  for (const Format* format : all()) {
    for (const std::string_view tool : format->tools) {
      const auto rows = machine::tools();
      EXPECT_TRUE(std::any_of(rows.begin(), rows.end(), [&](const machine::Tool& row) {
        return row.name == tool;
      })) << tool;
    }
  }
}

}  // namespace
}  // namespace imgforge::formats
