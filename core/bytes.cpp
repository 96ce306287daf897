#include "core/bytes.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::core {

Bytes Bytes::parse(std::string_view text) {
  const auto bad = [&] {
    return Error(Kind::kUsage, fmt::format("\"{}\" is not a size", escaped(text, 60)))
        .hint("write a whole number with K, M, G or T, such as 512M or 2G");
  };
  // 010 is eight to some and ten to others.
  if (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9') throw bad();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) throw bad();
  std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (suffix.empty()) return {number};
  constexpr std::string_view units = "KMGT";
  const auto unit = units.find(static_cast<char>(suffix.front() & ~0x20));
  const std::string_view rest = suffix.substr(1);
  if (unit == std::string_view::npos || !(rest.empty() || rest == "B" || rest == "iB")) throw bad();
  const unsigned shift = 10 * (static_cast<unsigned>(unit) + 1);
  if (number > (std::numeric_limits<std::uint64_t>::max() >> shift)) throw bad();
  return {number << shift};
}

std::string Bytes::to_string() const {
  constexpr std::string_view units = "KMGT";
  std::uint64_t number = value;
  std::size_t unit = 0;
  while (number != 0 && number % 1024 == 0 && unit < units.size()) {
    number /= 1024;
    ++unit;
  }
  return unit == 0 ? std::to_string(number) : std::to_string(number) + units[unit - 1];
}

std::string Bytes::human() const {
  constexpr std::array<std::string_view, 5> units{"B", "kB", "MB", "GB", "TB"};
  double number = static_cast<double>(value);
  std::size_t unit = 0;
  while (number >= 999.95 && unit + 1 < units.size()) {
    number /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", value) : fmt::format("{:.1f} {}", number, units[unit]);
}

}  // namespace imgforge::core
