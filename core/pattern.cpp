#include "core/pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::core {
namespace {

/// __polynomial (an extension of libstdc++) walks all states side by side instead of trying one way after the
/// other: no recursion along the text, and time in proportion to it.
constexpr auto kFlags = std::regex::ECMAScript | std::regex::nosubs | std::regex_constants::__polynomial;

Error refused(const std::string& pattern, const std::string& why) {
  return Error(Kind::kUsage, fmt::format("\"{}\" {}", escaped(pattern, 100), why));
}

/// Walks over a pattern and tells its characters apart, so far as the two checks below need it.
class Walk {
 public:
  explicit Walk(std::string_view text) : text_(text) {}

  bool done() const { return at_ == text_.size(); }
  /// The next character with its backslash, or a whole [...] of them.
  std::string_view next() {
    const std::size_t begin = at_;
    if (text_[at_] == '[') {
      while (++at_ < text_.size() && text_[at_] != ']') at_ += text_[at_] == '\\' ? 1 : 0;
    } else if (text_[at_] == '\\') {
      ++at_;
    }
    at_ = std::min(at_ + 1, text_.size());
    return text_.substr(begin, at_ - begin);
  }
  /// The larger number of a {3} or {3,5} that is next, which is taken; 0 when there is none.
  std::size_t repeats() {
    if (done() || text_[at_] != '{') return 0;
    const std::size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) return 0;
    std::size_t largest = 0;
    const char* number = text_.data() + at_ + 1;
    const char* last = text_.data() + end;
    for (; number < last; ++number) {
      std::size_t value = 0;
      const auto [after, code] = std::from_chars(number, last, value);
      if (code == std::errc::result_out_of_range) value = kLargestPattern + 1;
      largest = std::max(largest, value);
      number = std::max(number, after);
    }
    at_ = end + 1;
    return largest;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

/// Characters when all counted repeats are written out; stops counting beyond the bound.
std::size_t size_of(std::string_view pattern) {
  std::vector<std::size_t> open{0};
  Walk walk(pattern);
  while (!walk.done()) {
    const std::string_view part = walk.next();
    std::size_t size = 1;
    if (part == "(") {
      open.push_back(0);
      continue;
    }
    if (part == ")" && open.size() > 1) {
      size = open.back() + 1;
      open.pop_back();
    }
    if (const std::size_t times = walk.repeats(); times > 1) size *= std::min(times, kLargestPattern + 1);
    open.back() = std::min(open.back() + size, kLargestPattern + 1);
  }
  for (std::size_t i = 1; i < open.size(); ++i) open.front() += open[i];
  return open.front();
}

/// The escapes of a line feed: \n, \x0a, \u000a, \cj.
bool names_a_line_break(std::string_view pattern) {
  if (pattern.find_first_of("\n\r") != std::string_view::npos) return true;
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '\\') continue;
    std::string escape(pattern.substr(i, 6));
    std::transform(escape.begin() + 2, escape.end(), escape.begin() + 2,
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    for (const char* one : {"\\n", "\\x0a", "\\u000a", "\\cj"})
      if (escape.starts_with(one)) return true;
    ++i;
  }
  return false;
}

std::regex compiled(const std::string& pattern) {
  if (pattern.size() > kLongestPattern)
    throw refused(pattern, fmt::format("is longer than {} bytes", kLongestPattern));
  if (names_a_line_break(pattern))
    throw refused(pattern, "spans lines, but is searched in one line at a time")
        .hint("write one pattern for each line; they must appear in their order");
  if (size_of(pattern) > kLargestPattern)
    throw refused(pattern, fmt::format("has more than {} characters when its repeats are written out",
                                       kLargestPattern));
  try {
    const std::regex alone(pattern, kFlags);  // so that the frame below cannot complete what is incomplete
    // Searching from each character on would take the square of a line's length.
    return std::regex("[\\s\\S]*?(?:" + pattern + ")", kFlags);
  } catch (const std::regex_error& error) {
    const bool reference = std::string_view(error.what()).find("back-reference") != std::string_view::npos;
    if (reference) throw refused(pattern, "refers back to a group, which is not supported");
    throw refused(pattern, std::string("is not a regular expression: ") + error.what());
  }
}

}  // namespace

Pattern::Pattern(std::string text) : text_(std::move(text)), expression_(compiled(text_)) {}

bool Pattern::found_in(std::string_view text) const {
  while (true) {
    const std::size_t end = text.find('\n');
    if (found_in_line(text.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
}

bool Pattern::found_in_line(std::string_view line) const {
  line = line.substr(0, kLongestMatchedLine);
  return std::regex_search(line.begin(), line.end(), expression_, std::regex_constants::match_continuous);
}

}  // namespace imgforge::core
