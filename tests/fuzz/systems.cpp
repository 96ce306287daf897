// What a system in an image says of itself. It is told in JSON, which takes nothing but UTF-8.
#include <map>
#include <stdexcept>
#include <string>

#include "builder/guest/apk/apk_text.hpp"
#include "builder/guest/facts.hpp"
#include "builder/inspect/boot_texts.hpp"
#include "builder/inspect/root_source.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "fuzz/table.hpp"

namespace imgforge::fuzz {
namespace {

void expect_text(const std::string& text) {
  if (!core::is_utf8(text)) throw std::logic_error("no UTF-8: " + core::escaped(text));
}

void expect_texts(const std::map<std::string, std::string>& texts) {
  for (const auto& [name, value] : texts) {
    expect_text(name);
    expect_text(value);
  }
}

void expect_menu(const inspect::BootTexts& texts) {
  for (const std::string& title : texts.titles) expect_text(title);
  expect_text(texts.cmdline);
}

}  // namespace

void boot_entry(std::string_view bytes) {
  expect_menu(inspect::parse_boot_entry(bytes, "name"));
}

void isolinux_menu(std::string_view bytes) {
  expect_menu(inspect::parse_isolinux_menu(bytes));
}

void root_facts(std::string_view bytes) {
  expect_texts(inspect::parse_os_release(bytes));
  expect_texts(inspect::parse_installed(bytes));
}

/// An answer that the appliance's own shell cannot have given is kInternal.
void guest_answer(std::string_view bytes) {
  guest::parse_plan(bytes);
  guest::missing_packages(bytes);
  guest::failed_script(bytes);
  try {
    guest::parse_facts(bytes);
  } catch (const core::Error&) {
  }
}

}  // namespace imgforge::fuzz
