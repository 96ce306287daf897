#include "builder/formats/intermediates.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/codec/compression.hpp"
#include "builder/formats/tool_lists.hpp"
#include "builder/image/trust/secure_disk.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::formats {
namespace {

/// Level of published tars: small, and still faster than a disk reads them back.
constexpr int kZstdLevel = 9;

}  // namespace

const std::filesystem::path& Intermediates::squashfs() const {
  if (!parts_.squashfs) throw core::Error(core::Kind::kInternal, "the plan has no squashfs");
  return parts_.squashfs->path();
}

std::string Intermediates::identity() const {
  const std::string root = fmt::format("{} {}", recipe().line(), parts_.rootfs.digest().hex());
  return parts_.added.empty() ? root : root + " " + parts_.added_identity.hex();
}

std::string Intermediates::medium_identity(core::Bytes size) const {
  return fmt::format("{} {} {}", identity(), size.value,
                     image::syslinux_config(image::make_menu(boot(), menu(), {})));
}

image::MenuOptions Intermediates::menu() const {
  const recipe::BootMenu& wanted = recipe().boot_menu;
  image::MenuOptions menu;
  menu.title = recipe().line();
  menu.timeout = wanted.timeout;
  menu.recovery = wanted.recovery == recipe::Toggle::kOn ? image::Recovery::kYes : image::Recovery::kNo;
  menu.default_entry = wanted.recovery_by_default == recipe::Toggle::kOn ? image::DefaultEntry::kRecovery
                                                                         : image::DefaultEntry::kNormal;
  menu.quiet = wanted.quiet == recipe::Toggle::kOn ? image::Quiet::kYes : image::Quiet::kNo;
  menu.cmdline = recipe().kernel.cmdline;
  return menu;
}

const Intermediates::Disk& Intermediates::disk() {
  const std::lock_guard lock(disk_mutex_);
  if (disk_) return *disk_;
  const std::filesystem::path output = parts_.work / "disk.raw";
  image::DiskLayout layout = recipe().secure_boot ? make_signed_disk(output) : make_plain_disk(output);
  return disk_.emplace(Disk{output, std::move(layout)});
}

image::DiskLayout Intermediates::make_plain_disk(const std::filesystem::path& output) {
  const core::TempDir folder(parts_.work, "disk");
  image::DiskSpec spec;
  spec.size = recipe().disk.size;
  const bool read_only = recipe().disk.root_mode == recipe::RootMode::kReadOnly;
  spec.identity = fmt::format("{} {}", medium_identity(spec.size), read_only ? "read-only" : "writable");
  spec.root_access = read_only ? image::RootAccess::kReadOnly : image::RootAccess::kWritable;
  spec.menu = menu();
  spec.epoch = epoch();
  return image::make_disk(tree(), boot(), spec, output, folder.path(), processes(), cancel());
}

image::DiskLayout Intermediates::make_signed_disk(const std::filesystem::path& output) {
  require_modules(boot(), kVerityModules, "disk with Secure Boot");
  const core::TempDir folder(parts_.work, "disk");
  image::SecureDiskSpec spec;
  spec.size = recipe().disk.size;
  spec.identity = medium_identity(spec.size);
  spec.menu = menu();
  spec.epoch = epoch();
  spec.keys = parts_.secure_boot_keys;
  switch (recipe().secure_boot->enrolment) {
    case recipe::Enrolment::kOff:
      spec.enrolment = image::Enrolment::kNone;
      break;
    case recipe::Enrolment::kManual:
      spec.enrolment = image::Enrolment::kOffered;
      break;
    case recipe::Enrolment::kForce:
      spec.enrolment = image::Enrolment::kForced;
      break;
  }
  return image::make_secure_disk(squashfs(), boot(), spec, output, folder.path(), processes(), cancel());
}

const Intermediates::PackedRoot& Intermediates::packed_rootfs() {
  const std::lock_guard lock(rootfs_mutex_);
  if (packed_) return *packed_;
  const std::filesystem::path output = parts_.work / "rootfs.tar.zst";
  const auto pack = [&](const std::filesystem::path& tar) {
    artifacts::compress_zstd(tar, output, kZstdLevel, artifacts::LongMode::kOn, cancel());
  };
  if (parts_.added.empty()) {
    pack(parts_.rootfs.path());
    return packed_.emplace(PackedRoot{output, parts_.rootfs.digest()});
  }
  const core::TempDir folder(parts_.work, "tar");
  const std::filesystem::path whole = folder / "rootfs.tar";
  image::write_root_tar(tree(), whole, cancel());
  pack(whole);
  return packed_.emplace(PackedRoot{output, core::digest_of_file(core::HashAlgorithm::kSha256, whole)});
}

std::string missing_disk_drivers(const image::BootFiles& boot, std::string_view format) {
  struct Machine {
    std::string_view format;
    std::string_view name;
    std::vector<std::string_view> drivers;  ///< any of them is enough
  };
  static const std::vector<Machine> kMachines{
      {"qcow2", "QEMU's virtio, SATA, IDE and NVMe", {"virtio_blk", "ahci", "ata_piix", "nvme"}},
      {"raw", "virtio, SATA, IDE and NVMe", {"virtio_blk", "ahci", "ata_piix", "nvme"}},
      {"vm", "QEMU's virtio", {"virtio_blk"}},
      {"vmdk", "VMware's SCSI, SATA, IDE and NVMe", {"vmw_pvscsi", "mptspi", "ahci", "ata_piix", "nvme"}},
      {"vdi", "VirtualBox's SATA, SCSI and IDE", {"ahci", "mptspi", "ata_piix"}},
      {"vhdx", "Hyper-V's", {"hv_storvsc", "ata_piix"}}};
  const auto machine = std::find_if(kMachines.begin(), kMachines.end(),
                                    [&](const Machine& row) { return row.format == format; });
  if (machine == kMachines.end()) return {};
  const std::vector<std::string>& lacks = boot.kernels.front().lacks;
  const bool none = std::all_of(
      machine->drivers.begin(), machine->drivers.end(),
      [&](std::string_view driver) { return std::find(lacks.begin(), lacks.end(), driver) != lacks.end(); });
  if (!none) return {};
  return fmt::format("the kernel {} has no driver for {} disks ({}): {} will not find its root there",
                     boot.kernels.front().release, machine->name, fmt::join(machine->drivers, ", "), format);
}

void require_modules(const image::BootFiles& boot, std::span<const std::string_view> modules,
                     std::string_view format) {
  const image::BootKernel& kernel = boot.kernels.front();
  for (const std::string_view module : modules) {
    if (std::find(kernel.lacks.begin(), kernel.lacks.end(), module) == kernel.lacks.end()) continue;
    throw core::Error(core::Kind::kImage,
                      fmt::format("the kernel {} has no module {}, which the format {} needs", kernel.release,
                                  module, format))
        .hint("choose another kernel.package, or leave the format out");
  }
}

}  // namespace imgforge::formats
