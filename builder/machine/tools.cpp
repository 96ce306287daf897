#include "builder/machine/tools.hpp"

#include <fmt/format.h>

#include <array>

#include "core/error.hpp"
#include "core/process.hpp"

namespace imgforge::machine {
namespace {

constexpr std::array kTools{
    Tool{"qemu-system-x86_64", "runs the appliance and boots images", "qemu-system-x86", "--version", "5.2",
         "isa-debug-exit and -cpu flags that the accelerator probe and boot tests use"},
    Tool{"qemu-img", "writes and checks qcow2", "qemu-utils", "--version", "5.1", "zstd clusters"},
    Tool{"supermin", "makes the libguestfs appliance", "supermin", "--version", "5",
         "format of the appliance"},
    Tool{"mke2fs", "makes the root file system", "e2fsprogs", "-V", "1.45",
         "E2FSPROGS_FAKE_TIME and -E offset"},
    Tool{"e2fsck", "checks a root file system that was grown", "e2fsprogs", "-V", "1.45", ""},
    Tool{"resize2fs", "grows the root file system of a disk", "e2fsprogs", "", "", ""},
    Tool{"mkfs.vfat", "makes the EFI system partition", "dosfstools", "", "4.2", "--invariant and --offset"},
    Tool{"mcopy", "fills the EFI system partition without mounting it", "mtools", "--version", "4.0.24",
         "SOURCE_DATE_EPOCH"},
    Tool{"syslinux", "makes the EFI system partition boot on BIOS", "syslinux", "--version", "", ""},
    Tool{"mksquashfs", "hands packages to the appliance; makes the root of live images", "squashfs-tools",
         "-version", "4.5", "reproducible images, tar archives read"},
    Tool{"xorriso", "writes and checks ISO images", "xorriso", "-version", "1.5.4",
         "appended GPT partitions"},
    Tool{"objcopy", "makes unified kernel images", "binutils", "--version", "2.35",
         "sections of EFI programs"},
    Tool{"veritysetup", "makes the hash tree of a root that never changes", "cryptsetup-bin", "--version",
         "2.3", "one superblock format"},
    Tool{"gpg", "signs exports with your GPG key", "gpg", "--version", "2.2", "--faked-system-time"},
    Tool{"gpgv", "checks OpenPGP signatures of releases", "gpgv", "--version", "2.2", ""},
    Tool{"sbverify", "checks the signatures of EFI programs", "sbsigntool", "--version", "0.9.2", ""},
};

}  // namespace

std::span<const Tool> tools() {
  return kTools;
}

std::filesystem::path require_program(std::string_view name) {
  if (std::filesystem::path path = core::find_program(name); !path.empty()) return path;
  core::Error error(core::Kind::kMachine, fmt::format("the program {} is not installed", name));
  for (const Tool& tool : kTools) {
    if (tool.name == name) error.hint(fmt::format("sudo apt-get install {}", tool.package));
  }
  throw error;
}

std::filesystem::path require_file(std::string_view path, std::string_view package) {
  if (std::filesystem::is_regular_file(path)) return path;
  throw core::Error(core::Kind::kMachine, fmt::format("{} is missing", path))
      .hint(fmt::format("sudo apt-get install {}", package));
}

}  // namespace imgforge::machine
