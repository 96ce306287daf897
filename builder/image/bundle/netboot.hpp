// The files for starting a machine over the network: the kernel, the initramfs, the squashfs, and a script
// that tells iPXE to load them. iPXE hands the squashfs over as a file of the initramfs (/root.squashfs), so
// the machine needs no network driver of its own to find its root. Script language: ipxe.org/scripting.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/image/boot/boot_menu.hpp"

namespace imgforge::image {

/// Names of the files as the script asks for them, relative to the script itself.
struct NetbootNames {
  std::string kernel;
  std::string initramfs;
  std::string root;
};

struct NetbootScript {
  std::string text;
  std::vector<std::string> cmdline;
};

/// The script for the first kernel. Throws kImage when a name or word cannot stand in it.
NetbootScript make_netboot_script(const BootFiles& boot, const MenuOptions& menu, const NetbootNames& names);

/// The kernel's command line in the text of an iPXE script: the words after the file name of its `kernel`
/// line. Throws kImage when there is none, or when it needs a variable of iPXE.
std::string netboot_cmdline(std::string_view script);

}  // namespace imgforge::image
