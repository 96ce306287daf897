#include "builder/compare/report/lines.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"

namespace imgforge::compare {
namespace {

constexpr std::size_t kShown = 160;

std::string shown(const std::string& line) {
  return fmt::format("\"{}\"", line.size() > kShown ? line.substr(0, kShown) + "..." : line);
}

}  // namespace

bool is_text(std::string_view bytes) {
  const auto is_control = [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return code < 0x20 && c != '\n' && c != '\t' && c != '\r' && c != '\x1b';
  };
  return std::none_of(bytes.begin(), bytes.end(), is_control) && core::is_utf8(bytes);
}

bool compare_lines(Node& node, const std::string& before, const std::string& after) {
  const std::vector<std::string> a = core::split(before, '\n');
  const std::vector<std::string> b = core::split(after, '\n');
  const std::size_t common = std::min(a.size(), b.size());
  std::size_t start = 0;
  while (start < common && a[start] == b[start]) ++start;
  std::size_t tail = 0;
  while (tail < common - start && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
  const std::size_t old_end = a.size() - tail;
  const std::size_t new_end = b.size() - tail;
  const bool paired = old_end == new_end;
  for (std::size_t i = start; i < old_end; ++i) {
    if (!paired) {
      node.add(fmt::format("line {}", i + 1), shown(a[i]), std::nullopt);
    } else if (a[i] != b[i]) {
      node.add(fmt::format("line {}", i + 1), shown(a[i]), shown(b[i]));
    }
  }
  for (std::size_t i = start; !paired && i < new_end; ++i)
    node.add(fmt::format("line {}", i + 1), std::nullopt, shown(b[i]));
  return start < std::max(old_end, new_end);
}

}  // namespace imgforge::compare
