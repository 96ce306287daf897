// The boot menus that artifacts carry, as far as looking into them tells: titles and a command line. Foreign
// text: what comes out is printable UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imgforge::inspect {

/// Foreign text as terminals and JSON take it, at most 4 KiB of it.
std::string printable(std::string_view text);

struct BootTexts {
  std::vector<std::string> titles;
  std::string cmdline;  ///< of the first entry that has one
};

/// An entry of systemd-boot (Boot Loader Specification, type 1); without a title it is called `name`.
BootTexts parse_boot_entry(std::string_view text, std::string_view name);
/// The identifier that loader.conf calls the default; empty when none.
std::string default_entry(std::string_view loader_conf);
/// isolinux.cfg
BootTexts parse_isolinux_menu(std::string_view text);

}  // namespace imgforge::inspect
