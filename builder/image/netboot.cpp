#include "builder/image/netboot.hpp"

#include <fmt/format.h>

#include "builder/image/live_root.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

constexpr std::string_view kKernelWord = "kernel ";

}  // namespace

NetbootScript make_netboot_script(const BootFiles& boot, const MenuOptions& options,
                                  const NetbootNames& names) {
  const BootMenu menu = make_menu(boot, options, root_in_initramfs());
  const BootEntry& entry = menu.entries.front();
  // initrd=: the UEFI stub of the kernel asks for one file, which iPXE makes of all that follow.
  const std::string line = join_cmdline(entry.cmdline);
  NetbootScript script;
  script.cmdline = entry.cmdline;
  script.text = fmt::format(
      "#!ipxe\n"
      "# {}, Linux {}\n"
      "kernel {} initrd=initrd.magic {}\n"
      "initrd {}\n"
      "initrd {} /root.squashfs\n"
      "boot\n",
      core::escaped(options.title), entry.version, names.kernel, line, names.initramfs, names.root);
  return script;
}

std::string netboot_cmdline(std::string_view script) {
  for (const std::string& line : core::split(script, '\n')) {
    if (!line.starts_with(kKernelWord)) continue;
    const std::size_t file_end = line.find(' ', kKernelWord.size());
    if (file_end != std::string::npos) return line.substr(file_end + 1);
  }
  throw core::Error(core::Kind::kImage, "the script for iPXE names no kernel");
}

}  // namespace imgforge::image
