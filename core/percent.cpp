#include "core/percent.hpp"

#include <charconv>

namespace imgforge::core {

std::optional<char> escaped_byte(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] != '%' || text.size() - at < 3) return std::nullopt;
  unsigned value = 0;
  const char* digits = text.data() + at + 1;
  if (std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2) return std::nullopt;
  return static_cast<char>(value);
}

}  // namespace imgforge::core
