#include "artifacts/manifest/version.hpp"

#include <algorithm>
#include <charconv>

namespace imgforge::artifacts {
namespace {

constexpr std::size_t kDateDigits = 8;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Runs of digits by their value, all else by its bytes.
std::strong_ordering natural_order(std::string_view a, std::string_view b) {
  const auto take_number = [](std::string_view& text) {
    const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
    std::string_view digits = text.substr(0, end);
    text.remove_prefix(end);
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    return digits;
  };
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::string_view x = take_number(a), y = take_number(b);
      if (x.size() != y.size()) return x.size() <=> y.size();
      if (x != y) return x <=> y;
    } else {
      if (a.front() != b.front()) return a.front() <=> b.front();
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return a.size() <=> b.size();
}

}  // namespace

std::strong_ordering Version::operator<=>(const Version& other) const {
  if (date != other.date) return date <=> other.date;
  if (revision != other.revision) return revision <=> other.revision;
  const std::strong_ordering order = natural_order(chosen, other.chosen);
  return order != 0 ? order : chosen <=> other.chosen;  // "1.0" and "1.00" are two
}

std::string Version::to_string() const {
  if (!chosen.empty()) return chosen;
  return "v" + date + (revision == 0 ? std::string() : "." + std::to_string(revision));
}

namespace {

std::optional<Version> parse_dated(std::string_view text) {
  if (!text.starts_with('v') || text.size() < 1 + kDateDigits) return std::nullopt;
  Version version;
  version.date = text.substr(1, kDateDigits);
  if (!std::all_of(version.date.begin(), version.date.end(), is_digit)) return std::nullopt;
  std::string_view rest = text.substr(1 + kDateDigits);
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    std::from_chars(rest.data(), rest.data() + rest.size(), version.revision);
  }
  if (version.to_string() != text) return std::nullopt;
  return version;
}

}  // namespace

std::optional<Version> Version::parse(std::string_view text) {
  if (auto dated = parse_dated(text)) return dated;
  // "current" is the name of the link beside the releases; what only looks like a date would mislead.
  const bool looks_dated = text.size() > kDateDigits && text.front() == 'v' &&
                           std::all_of(text.begin() + 1, text.begin() + 1 + kDateDigits, is_digit);
  if (!is_file_name(text) || text == "current" || looks_dated) return std::nullopt;
  return Version{"", 0, std::string(text)};
}

bool is_file_name(std::string_view text) {
  constexpr std::size_t kMaxName = 200;
  if (text.empty() || text.size() > kMaxName || !is_alphanumeric(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || std::string_view("._+-").find(c) != std::string_view::npos;
  });
}

}  // namespace imgforge::artifacts
