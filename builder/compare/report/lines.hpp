// Texts compared line by line.
#pragma once

#include <string>

#include "builder/compare/report/report.hpp"

namespace imgforge::compare {

/// Larger files are compared by bytes.
inline constexpr std::uint64_t kLargestText = 8u << 20;

/// UTF-8 without control characters other than those of lines, in its first bytes.
bool is_text(std::string_view bytes);
/// Notes the lines that differ, with their numbers: pairs where as many lines stand on both sides, else the
/// lines of each side. False when both have the same lines.
bool compare_lines(Node& node, const std::string& before, const std::string& after);

}  // namespace imgforge::compare
