#include "builder/image/bundle/netboot.hpp"

#include <fmt/format.h>

#include <sstream>
#include <vector>

#include "builder/image/boot/live_root.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {

using core::Error;
using core::Kind;

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
    std::istringstream words(line);
    std::string word;
    if (!(words >> word) || word != "kernel") continue;
    while (words >> word && word.starts_with("--")) words >> word;  // an option and its value
    std::vector<std::string> cmdline;
    while (words >> word) cmdline.push_back(word);
    std::string text = core::join(cmdline, " ");
    if (text.find("${") != std::string::npos) {
      throw Error(Kind::kImage, fmt::format("the kernel's command line depends on a variable of iPXE: {}",
                                            core::escaped(text)));
    }
    return text;
  }
  throw Error(Kind::kImage, "the iPXE script has no line that begins with \"kernel\"");
}

}  // namespace imgforge::image
