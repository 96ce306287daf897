// What the boot loaders offer: the entries of an image and the files they load, told to systemd-boot (UEFI;
// Boot Loader Specification, type 1), to syslinux (BIOS, disks and sticks) and to isolinux (BIOS, CDs).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/manifest/kernel_features.hpp"
#include "builder/image/boot/boot_compression.hpp"

namespace imgforge::image {

/// One kernel with its initramfs, on the host.
struct BootKernel {
  std::string release;
  std::filesystem::path kernel;
  std::filesystem::path initramfs;
  InitramfsCompression compression = InitramfsCompression::kGzip;
  std::size_t modules = 0;         ///< in the initramfs
  std::vector<std::string> lacks;  ///< modules that some formats need and this kernel does not have
  artifacts::KernelFeatures features = {};
};

/// What a boot loader loads: the kernels of a root file system, the one that boots first; never empty when in
/// use.
struct BootFiles {
  std::vector<BootKernel> kernels;
};

enum class Recovery { kNo, kYes };
enum class Quiet { kNo, kYes };
enum class DefaultEntry { kNormal, kRecovery };

/// What the recipe says of the menu.
struct MenuOptions {
  std::string title = "imgforge";
  unsigned timeout = 0;  ///< seconds that the menu is shown; 0: boots at once
  Recovery recovery = Recovery::kYes;
  DefaultEntry default_entry = DefaultEntry::kNormal;
  Quiet quiet = Quiet::kNo;
  std::vector<std::string> cmdline;  ///< words after imgforge's own
};

struct BootEntry {
  std::string id;         ///< "imgforge", "imgforge-1", "imgforge-recovery"
  std::string title;      ///< one line for people
  std::string version;    ///< kernel release
  std::string kernel;     ///< path from the root of the medium, without a leading slash: "imgforge/vmlinuz"
  std::string initramfs;  ///< likewise
  std::vector<std::string> cmdline;
};

struct BootMenu {
  std::vector<BootEntry> entries;
  std::string default_id;
  unsigned timeout = 0;
};

/// A file of a boot medium, copied from `source`.
struct MediumFile {
  std::string path;  ///< "loader/loader.conf"
  std::filesystem::path source;
};

/// Entries for the first kernel, for others, and recovery. `root` is what tells the initramfs where the
/// root file system is, such as {"root=PARTLABEL=...", "rootfstype=ext4"}.
BootMenu make_menu(const BootFiles& boot, const MenuOptions& options, const std::vector<std::string>& root);

/// The kernels and initramfs files that the entries name.
std::vector<MediumFile> menu_files(const BootFiles& boot);

/// The command line as one text. Throws kImage when a word has white space or control characters, or all is
/// longer than 2000 bytes (x86 kernels and syslinux take 2047).
std::string join_cmdline(const std::vector<std::string>& words);

/// kListed: entries in loader/entries (type 1). kUnified: unified kernel images in EFI/Linux (type 2).
enum class EntryKind { kListed, kUnified };

/// loader/loader.conf
std::string systemd_boot_config(const BootMenu& menu, EntryKind kind = EntryKind::kListed);
/// loader/entries/<id>.conf
std::string systemd_boot_entry(const BootEntry& entry);
/// syslinux.cfg or isolinux.cfg; also speaks on the first serial port.
std::string syslinux_config(const BootMenu& menu);

}  // namespace imgforge::image
