#include "builder/cli/frame/terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "builder/cli/frame/columns.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

constexpr std::size_t kNameWidth = 28;

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

void append_mark(std::string& out, const core::Error& error, const Style& style) {
  const core::Mark& mark = *error.mark();
  if (mark.line == 0) {
    out += fmt::format("{} {}\n", style.bad("error:"), error.message());
    return;
  }
  out += fmt::format("{}:{}:{}: {} {}\n", core::escaped(mark.file), mark.line, mark.column,
                     style.bad("error:"), error.message());
  if (mark.text.empty()) return;
  const std::string number = std::to_string(mark.line);
  out += fmt::format("{:>5} | {}\n", number, core::escaped(mark.text));
  const auto indent = static_cast<std::size_t>(std::max(0, mark.column - 1));
  const auto waves = static_cast<std::size_t>(std::max(0, mark.length - 1));
  out += fmt::format("      | {}{}\n", std::string(indent, ' '), style.bad("^" + std::string(waves, '~')));
}

/// Lines that stand `indent` to the right; the first begins with `mark`, which is as wide.
std::string indented_lines(const std::string& mark, std::size_t indent, std::string_view text,
                           std::size_t width) {
  if (width == kUnlimited) return fmt::format("{}{}\n", mark, text);
  std::string out;
  for (const std::string& line : wrapped_to_columns(text, width > indent ? width - indent : 1))
    out += fmt::format("{}{}\n", out.empty() ? mark : std::string(indent, ' '), line);
  return out;
}

}  // namespace

Colour colour_for(std::string_view choice, int fd) {
  if (choice == "always") return Colour::kOn;
  if (choice == "never" || is_set("NO_COLOR")) return Colour::kOff;
  return is_capable_terminal(fd) ? Colour::kOn : Colour::kOff;
}

bool is_capable_terminal(int fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

ScreenSize size_of_terminal(int fd) {
  ScreenSize out;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return out;
  if (size.ws_col != 0) out.columns = size.ws_col;
  if (size.ws_row != 0) out.rows = size.ws_row;
  return out;
}

std::string Style::paint(std::string_view code, std::string_view text) const {
  return colour_ == Colour::kOn ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

std::string step_line(std::string_view name, std::string_view detail, std::string_view took,
                      std::size_t width, const Style& style) {
  constexpr std::size_t mark = 4;
  std::string text = fmt::format("{} {}", padded_to_columns(name, kNameWidth), detail);
  const std::size_t tail = 2 + columns_of(took);
  if (width == kUnlimited || mark + columns_of(text) + tail <= width)
    return fmt::format("  {} {}  {}\n", style.good("✓"), text, style.dim(took));
  if (width < mark + tail + kNameWidth) {  // too narrow for both
    return fmt::format("  {} {}\n", style.good("✓"), cut_to_columns(text, width - std::min(width, mark)));
  }
  return fmt::format("  {} {}  {}\n", style.good("✓"), cut_to_columns(text, width - mark - tail),
                     style.dim(took));
}

std::string note_lines(std::string_view text, std::size_t width) {
  return indented_lines("  ", 2, text, width);
}

std::string warning_lines(std::string_view text, std::size_t width, const Style& style) {
  return indented_lines(fmt::format("  {} ", style.warn("!")), 4, text, width);
}

std::string render_error(const core::Error& error, const Style& style) {
  std::string out;
  if (error.mark()) {
    append_mark(out, error, style);
  } else {
    out += fmt::format("{} {}\n", style.bad("error:"), error.message());
  }
  if (!error.quote().empty()) {
    for (const std::string& line : core::split(error.quote(), '\n'))
      out += fmt::format("  {} {}\n", style.dim("|"), line);
  }
  for (const std::string& step : error.contexts()) out += fmt::format("  while {}\n", step);
  if (!error.hint().empty()) out += fmt::format("{} {}\n", style.bold("hint:"), error.hint());
  return out;
}

std::string render_annotation(const core::Error& error) {
  if (!error.mark()) return {};
  std::string message = error.message();
  std::replace(message.begin(), message.end(), '\n', ' ');
  return fmt::format("::error file={},line={},col={}::{}\n", core::escaped(error.mark()->file),
                     error.mark()->line, error.mark()->column, message);
}

std::string seconds_text(double seconds) {
  return seconds < 0.1 ? fmt::format("{:.2f} s", seconds) : fmt::format("{:.1f} s", seconds);
}

}  // namespace imgforge::cli
