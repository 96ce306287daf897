#include "builder/image/loader_config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

constexpr std::size_t kLongestCmdline = 2000;

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
  return text;
}

}  // namespace

std::string join_cmdline(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const bool plain =
        std::all_of(word.begin(), word.end(), [](unsigned char c) { return c > ' ' && c < 127; });
    if (word.empty() || !plain) {
      throw core::Error(core::Kind::kImage, fmt::format("\"{}\" cannot be a word of the kernel command line",
                                                        core::escaped(word)));
    }
  }
  std::string line = core::join(words, " ");
  if (line.size() > kLongestCmdline) {
    throw core::Error(
        core::Kind::kImage,
        fmt::format("the kernel command line takes {} bytes, at most {} work", line.size(), kLongestCmdline));
  }
  return line;
}

std::string systemd_boot_config() {
  return "default imgforge.conf\ntimeout 0\neditor no\n";
}

std::string systemd_boot_entry(const BootEntry& entry) {
  return fmt::format("title {}\nversion {}\nlinux {}\ninitrd {}\noptions {}\n", one_line(entry.title),
                     entry.version, entry.kernel, entry.initramfs, join_cmdline(entry.cmdline));
}

std::string syslinux_config(const BootEntry& entry) {
  return fmt::format(
      "SERIAL 0 115200\nDEFAULT imgforge\nPROMPT 0\nTIMEOUT 0\n\nLABEL imgforge\n  LINUX {}\n  INITRD {}\n  "
      "APPEND {}\n",
      entry.kernel, entry.initramfs, join_cmdline(entry.cmdline));
}

}  // namespace imgforge::image
