#include "builder/image/boot/boot_menu.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

constexpr std::size_t kLongestCmdline = 2000;
constexpr const char* kNormal = "imgforge";
constexpr const char* kRecovery = "imgforge-recovery";

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
  return text;
}

/// "", "-1", "-2": tells the files of kernels apart.
std::string number_suffix(std::size_t number) {
  return number == 0 ? "" : fmt::format("-{}", number);
}

BootEntry make_entry(const BootFiles& boot, std::size_t number) {
  BootEntry entry;
  entry.version = boot.kernels.at(number).release;
  entry.kernel = "imgforge/vmlinuz" + number_suffix(number);
  entry.initramfs = fmt::format("imgforge/initramfs{}.img", number_suffix(number));
  return entry;
}

}  // namespace

BootMenu make_menu(const BootFiles& boot, const MenuOptions& options, const std::vector<std::string>& root) {
  std::vector<std::string> words = root;
  // The last console is the one that /dev/console stands for.
  words.insert(words.end(), {"console=tty0", "console=ttyS0,115200"});
  if (options.quiet == Quiet::kYes) words.emplace_back("quiet");
  words.insert(words.end(), options.cmdline.begin(), options.cmdline.end());

  BootMenu menu;
  menu.timeout = options.timeout;
  for (std::size_t number = 0; number < boot.kernels.size(); ++number) {
    BootEntry entry = make_entry(boot, number);
    entry.id = kNormal + number_suffix(number);
    entry.title = options.title + (number == 0 ? "" : fmt::format(" (kernel {})", entry.version));
    entry.cmdline = words;
    menu.entries.push_back(std::move(entry));
  }
  if (options.recovery == Recovery::kYes) {
    BootEntry entry = make_entry(boot, 0);
    entry.id = kRecovery;
    entry.title = options.title + " (recovery)";
    entry.cmdline = words;
    std::erase(entry.cmdline, "quiet");
    entry.cmdline.emplace_back("imgforge.shell");
    menu.entries.push_back(std::move(entry));
  }
  const bool recovery =
      options.default_entry == DefaultEntry::kRecovery && options.recovery == Recovery::kYes;
  menu.default_id = recovery ? kRecovery : kNormal;
  return menu;
}

std::vector<MediumFile> menu_files(const BootFiles& boot) {
  std::vector<MediumFile> files;
  for (std::size_t number = 0; number < boot.kernels.size(); ++number) {
    const BootEntry entry = make_entry(boot, number);
    files.push_back({entry.kernel, boot.kernels[number].kernel});
    files.push_back({entry.initramfs, boot.kernels[number].initramfs});
  }
  return files;
}

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

std::string systemd_boot_config(const BootMenu& menu, EntryKind kind) {
  return fmt::format("default {}.{}\ntimeout {}\neditor no\n", menu.default_id,
                     kind == EntryKind::kUnified ? "efi" : "conf", menu.timeout);
}

std::string systemd_boot_entry(const BootEntry& entry) {
  return fmt::format("title {}\nversion {}\nlinux /{}\ninitrd /{}\noptions {}\n", one_line(entry.title),
                     entry.version, entry.kernel, entry.initramfs, join_cmdline(entry.cmdline));
}

std::string syslinux_config(const BootMenu& menu) {
  std::string text = "SERIAL 0 115200\n";
  text += fmt::format("DEFAULT {}\nPROMPT 0\nTIMEOUT {}\n", menu.default_id, menu.timeout * 10);
  if (menu.timeout > 0) text += "UI menu.c32\n";
  for (const BootEntry& entry : menu.entries) {
    text += fmt::format("\nLABEL {}\n  MENU LABEL {}\n  LINUX /{}\n  INITRD /{}\n  APPEND {}\n", entry.id,
                        one_line(entry.title), entry.kernel, entry.initramfs, join_cmdline(entry.cmdline));
  }
  return text;
}

}  // namespace imgforge::image
