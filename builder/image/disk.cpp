#include "builder/image/disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>

#include "builder/image/esp.hpp"
#include "builder/image/ext4.hpp"
#include "builder/image/gpt.hpp"
#include "builder/image/kernel.hpp"
#include "builder/image/loader_config.hpp"
#include "builder/image/raw_image.hpp"
#include "builder/image/rootfs_archive.hpp"
#include "builder/machine/tools.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/random.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr const char* kSystemdBoot = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
constexpr const char* kGptBootCode = "/usr/lib/syslinux/mbr/gptmbr.bin";
constexpr const char* kKernelPath = "imgforge/vmlinuz";
constexpr const char* kInitramfsPath = "imgforge/initramfs.img";
constexpr const char* kSyslinuxFolder = "syslinux";
constexpr std::uint64_t kSmallestRoot = 16 * kMebibyte;

void write_file(const std::filesystem::path& path, std::string_view content) {
  core::Fd fd = core::open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  core::write_all(fd.get(), content, path.native());
  fd.close(path.native());
}

std::vector<std::string> cmdline_of(const DiskSpec& spec, const std::string& root_uuid) {
  const bool read_only = spec.root_access == RootAccess::kReadOnly;
  std::vector<std::string> words = {
      "root=UUID=" + root_uuid, "rootfstype=ext4",
      read_only ? "ro" : "rw",  read_only ? "imgforge.overlay=tmpfs" : "imgforge.overlay=none",
      "console=tty0",           "console=ttyS0,115200"};
  words.insert(words.end(), spec.cmdline.begin(), spec.cmdline.end());
  return words;
}

DiskLayout plan_layout(const DiskSpec& spec, std::uint64_t disk_size, std::uint64_t esp) {
  DiskLayout layout;
  layout.disk_uuid = core::derived_uuid("imgforge disk " + spec.identity);
  layout.esp_uuid = core::derived_uuid("imgforge esp " + spec.identity);
  layout.root_uuid = core::derived_uuid("imgforge root partition " + spec.identity);
  layout.root_filesystem_uuid = core::derived_uuid("imgforge root file system " + spec.identity);
  layout.cmdline = cmdline_of(spec, layout.root_filesystem_uuid);
  layout.esp_start = kMebibyte;
  layout.esp_size = esp;
  layout.root_start = layout.esp_start + esp;
  const std::uint64_t least =
      layout.root_start + kSmallestRoot + kMebibyte;  // the last MiB: second copy of the GPT
  if (disk_size < least) {
    throw Error(Kind::kImage, fmt::format("a disk of {} is too small: boot loader and kernel take {}",
                                          core::Bytes{disk_size}.to_string(), core::Bytes{esp}.to_string()))
        .hint("raise disk.size to " + core::Bytes{least}.to_string() + " or more");
  }
  layout.root_size = disk_size - kMebibyte - layout.root_start;
  return layout;
}

std::vector<EspFile> write_boot_partition_files(const BootFiles& boot, const DiskSpec& spec,
                                                const std::vector<std::string>& cmdline,
                                                const std::filesystem::path& work_dir) {
  const BootEntry entry{spec.title, boot.release, fmt::format("/{}", kKernelPath),
                        fmt::format("/{}", kInitramfsPath), cmdline};
  write_file(work_dir / "loader.conf", systemd_boot_config());
  write_file(work_dir / "imgforge.conf", systemd_boot_entry(entry));
  write_file(work_dir / "syslinux.cfg", syslinux_config(entry));
  return {{"EFI/BOOT/BOOTX64.EFI", machine::require_file(kSystemdBoot, "systemd-boot-efi")},
          {"loader/loader.conf", work_dir / "loader.conf"},
          {"loader/entries/imgforge.conf", work_dir / "imgforge.conf"},
          {fmt::format("{}/syslinux.cfg", kSyslinuxFolder), work_dir / "syslinux.cfg"},
          {kKernelPath, boot.kernel},
          {kInitramfsPath, boot.initramfs}};
}

std::uint32_t volume_id_of(const std::string& uuid) {
  std::uint32_t id = 0;
  std::from_chars(uuid.data(), uuid.data() + 8, id, 16);
  return id;
}

}  // namespace

BootFiles make_boot_files(const std::filesystem::path& rootfs_tar, const InitramfsOptions& options,
                          const std::filesystem::path& work_dir) {
  const RootfsArchive rootfs(rootfs_tar);
  const KernelFiles kernel = find_kernel(rootfs);
  const Initramfs initramfs = make_initramfs(rootfs, kernel, options);
  BootFiles boot{work_dir / "vmlinuz", work_dir / "initramfs.img", kernel.release, initramfs.compression,
                 initramfs.modules};
  write_file(boot.kernel, kernel.image);
  write_file(boot.initramfs, initramfs.bytes);
  return boot;
}

DiskLayout make_disk(const std::filesystem::path& rootfs_tar, const BootFiles& boot, const DiskSpec& spec,
                     const std::filesystem::path& output, const std::filesystem::path& work_dir,
                     core::ProcessRunner& processes, const core::CancelToken& cancel) {
  const std::filesystem::path path = std::filesystem::absolute(output);
  const std::uint64_t disk_size = round_up(spec.size.value, kMebibyte);
  const std::string boot_code = core::read_text_file(machine::require_file(kGptBootCode, "syslinux-common"));
  // The command line has the same length whatever the sizes turn out to be, so the files come first.
  DiskLayout layout = plan_layout(spec, disk_size, 0);
  const std::vector<EspFile> files = write_boot_partition_files(boot, spec, layout.cmdline, work_dir);
  layout = plan_layout(spec, disk_size, esp_size(files));

  RawImage image(path, core::Bytes{disk_size});
  write_gpt(path, layout.disk_uuid,
            {{"boot", kEspType, layout.esp_uuid, layout.esp_start, layout.esp_size, BiosBoot::kYes},
             {"root", kRootX86Type, layout.root_uuid, layout.root_start, layout.root_size, BiosBoot::kNo}},
            boot_code);
  const EspOptions esp{"IMGFORGE", volume_id_of(layout.esp_uuid), layout.esp_start, layout.esp_size,
                       spec.epoch};
  make_esp(path, files, esp, processes, cancel);
  install_syslinux(path, kSyslinuxFolder, esp, work_dir, processes, cancel);
  make_ext4(rootfs_tar, path,
            {layout.root_filesystem_uuid, "root", layout.root_start, layout.root_size, spec.epoch}, processes,
            cancel);
  image.keep();
  return layout;
}

}  // namespace imgforge::image
