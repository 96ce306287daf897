#include "builder/inspect/boot_texts.hpp"

#include "core/text.hpp"

namespace imgforge::inspect {
namespace {

/// What follows `word` and a blank at the beginning of a line; empty when no line has it.
std::string value_of(std::string_view text, std::string_view word) {
  for (const std::string& line : core::split(text, '\n')) {
    if (line.starts_with(std::string(word) + " "))
      return std::string(core::trimmed(std::string_view(line).substr(word.size())));
  }
  return {};
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 4096;
  return core::escaped(text, kLongest);
}

BootTexts parse_boot_entry(std::string_view text, std::string_view name) {
  const std::string title = value_of(text, "title");
  return {{printable(core::trimmed(title.empty() ? name : title))}, printable(value_of(text, "options"))};
}

std::string default_entry(std::string_view loader_conf) {
  return value_of(loader_conf, "default");
}

BootTexts parse_isolinux_menu(std::string_view text) {
  BootTexts menu;
  for (const std::string& line : core::split(text, '\n')) {
    const std::string_view word = core::trimmed(line);
    if (word.starts_with("MENU LABEL ")) menu.titles.push_back(printable(core::trimmed(word.substr(11))));
    if (word.starts_with("APPEND ") && menu.cmdline.empty())
      menu.cmdline = printable(core::trimmed(word.substr(7)));
  }
  return menu;
}

}  // namespace imgforge::inspect
