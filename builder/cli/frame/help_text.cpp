#include "builder/cli/frame/help_text.hpp"

#include <unistd.h>

#include <CLI/App.hpp>
#include <algorithm>

#include "builder/cli/frame/columns.hpp"
#include "builder/cli/frame/terminal.hpp"

namespace imgforge::cli {
namespace {

constexpr std::size_t kNarrowest = 60;
constexpr std::size_t kWidest = 100;  // longer lines are hard to read

/// The name, and from a column on its description.
std::string row(const std::string& name, const std::string& description, std::size_t column) {
  const std::size_t width = std::clamp(size_of_terminal(STDOUT_FILENO).columns, kNarrowest, kWidest);
  const std::string margin(column, ' ');
  std::string text = "  " + name;
  if (description.empty()) return text + "\n";
  text = columns_of(text) < column ? padded_to_columns(text, column) : text + "\n" + margin;
  bool first = true;
  for (const std::string& line : wrapped_to_columns(description, width - column)) {
    text += (first ? "" : margin) + line + "\n";
    first = false;
  }
  return text;
}

}  // namespace

std::string HelpText::make_option(const CLI::Option* option, bool is_positional) const {
  return row(make_option_name(option, is_positional) + make_option_opts(option), make_option_desc(option),
             get_column_width());
}

std::string HelpText::make_subcommand(const CLI::App* command) const {
  return row(command->get_display_name(true), command->get_description(), get_column_width());
}

}  // namespace imgforge::cli
