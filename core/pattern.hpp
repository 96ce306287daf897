// Regular expressions that users write, searched in text that comes from elsewhere: what a console or a
// command's output must show. A std::regex that backtracks takes exponential time on a short line and
// overflows the stack on a long one, so patterns and lines are bounded here and the search takes time in
// proportion to both.
#pragma once

#include <cstddef>
#include <regex>
#include <string>
#include <string_view>

namespace imgforge::core {

constexpr std::size_t kLongestPattern = 1000;      ///< bytes
constexpr std::size_t kLongestMatchedLine = 4096;  ///< bytes; what follows in a line is not looked at
/// Characters and groups of a pattern when its counted repeats are written out: "(ab){3}" has 6.
constexpr std::size_t kLargestPattern = 500;

class Pattern {
 public:
  /// ECMAScript without back-references. Throws kUsage with the reason: no regular expression, longer or
  /// larger than the bounds, or one that names a line break, as it is searched in one line at a time.
  explicit Pattern(std::string text);

  /// Whether a line of `text` has it; ^ and $ are the ends of a line. A line is cut at its bound.
  bool found_in(std::string_view text) const;
  const std::string& text() const { return text_; }

 private:
  bool found_in_line(std::string_view line) const;

  std::string text_;
  std::regex expression_;
};

}  // namespace imgforge::core
