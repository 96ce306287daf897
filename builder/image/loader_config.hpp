// What the boot loaders read: one kernel, one initramfs and one command line, told to systemd-boot (UEFI;
// Boot Loader Specification, type 1) and to syslinux (BIOS).
#pragma once

#include <string>
#include <vector>

namespace imgforge::image {

struct BootEntry {
  std::string title;
  std::string version;  ///< kernel release
  std::string kernel;   ///< absolute path in the partition: "/imgforge/vmlinuz"
  std::string initramfs;
  std::vector<std::string> cmdline;
};

/// The command line as one text. Throws kImage when a word has white space or control characters, or all is
/// longer than 2000 bytes (x86 kernels and syslinux take 2047).
std::string join_cmdline(const std::vector<std::string>& words);

/// loader/loader.conf: boots the one entry at once.
std::string systemd_boot_config();
/// loader/entries/imgforge.conf
std::string systemd_boot_entry(const BootEntry& entry);
/// syslinux/syslinux.cfg; also speaks on the first serial port.
std::string syslinux_config(const BootEntry& entry);

}  // namespace imgforge::image
