#include "builder/serve/byte_range.hpp"

#include <algorithm>
#include <charconv>

#include "core/text.hpp"

namespace imgforge::serve {
namespace {

enum class Digits { kNumber, kEmpty, kBad };

/// A number that does not fit is as good as the largest one.
Digits parse_number(std::string_view text, std::uint64_t& number) {
  if (text.empty()) return Digits::kEmpty;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return Digits::kBad;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc::result_out_of_range) number = ~std::uint64_t{0};
  return Digits::kNumber;
}

}  // namespace

RangeAnswer parse_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return {};
  const std::string_view text = core::trimmed(header.substr(kUnit.size()));
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return {};
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  const Digits has_first = parse_number(text.substr(0, dash), first);
  const Digits has_last = parse_number(text.substr(dash + 1), last);
  if (has_first == Digits::kBad || has_last == Digits::kBad) return {};
  if (has_first == Digits::kEmpty) {
    if (has_last == Digits::kEmpty) return {};
    const std::uint64_t count = std::min(last, size);
    if (count == 0) return {RangeKind::kUnsatisfiable, {}};
    return {RangeKind::kPart, {size - count, count}};
  }
  if (has_last == Digits::kNumber && last < first) return {};
  if (first >= size) return {RangeKind::kUnsatisfiable, {}};
  const std::uint64_t end = has_last == Digits::kNumber && last < size ? last + 1 : size;
  return {RangeKind::kPart, {first, end - first}};
}

}  // namespace imgforge::serve
