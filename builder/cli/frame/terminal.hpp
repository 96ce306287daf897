// How imgforge speaks to people: colours, lines and errors. What runs is shown by the progress views; data
// goes to standard output elsewhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace imgforge::cli {

enum class Colour { kOff, kOn };
enum class Verbosity { kQuiet, kNormal, kVerbose };

/// Decides from `--color`, NO_COLOR (no-color.org), CI, TERM and whether the stream is a terminal.
Colour colour_for(std::string_view choice, int fd);

/// Whether the descriptor is a terminal that can do more than print lines.
bool is_capable_terminal(int fd);

/// In characters.
struct ScreenSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};
/// 80 by 24 for a terminal that does not say, and for what is none.
ScreenSize size_of_terminal(int fd);

/// Marks and colours of one stream.
class Style {
 public:
  explicit Style(Colour colour) : colour_(colour) {}
  std::string good(std::string_view text) const { return paint("32", text); }
  std::string bad(std::string_view text) const { return paint("31", text); }
  std::string warn(std::string_view text) const { return paint("33", text); }
  std::string dim(std::string_view text) const { return paint("2", text); }
  std::string bold(std::string_view text) const { return paint("1", text); }

 private:
  std::string paint(std::string_view code, std::string_view text) const;
  Colour colour_;
};

/// Width of what is no terminal.
inline constexpr std::size_t kUnlimited = static_cast<std::size_t>(-1);

// Lines with their newlines, none wider than `width` columns.

/// The line of a step that is done; the detail is cut before the time it took is.
std::string step_line(std::string_view name, std::string_view detail, std::string_view took,
                      std::size_t width, const Style& style);
/// A sentence, broken at blanks where it does not fit.
std::string note_lines(std::string_view text, std::size_t width);
std::string warning_lines(std::string_view text, std::size_t width, const Style& style);

/// The error as text for people: place with caret, message, quoted output, context, hint.
std::string render_error(const core::Error& error, const Style& style);
/// The workflow command that makes GitHub-style CI show the error at the recipe's line; empty when the error
/// has no place.
std::string render_annotation(const core::Error& error);

/// "2.1 s", "0.06 s".
std::string seconds_text(double seconds);

}  // namespace imgforge::cli
