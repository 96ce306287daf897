#include "builder/cli/progress/progress_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "builder/cli/frame/columns.hpp"

namespace imgforge::cli {
namespace {

// ECMA-48: CUU, EL and ED.
constexpr const char* kClearLine = "\x1b[K";
constexpr const char* kClearBelow = "\x1b[J";

std::string up(std::size_t lines) {
  return lines == 0 ? "" : fmt::format("\x1b[{}A", lines);
}

}  // namespace

ProgressRows::ProgressRows(Output write, std::function<ScreenSize()> size, Style style)
    : write_(std::move(write)), size_(std::move(size)), style_(style) {}

ProgressRows::~ProgressRows() {
  if (!rows_.empty()) show("", {});
}

void ProgressRows::ended(const core::ActivityTable& table, const core::ActivityRow& row,
                         core::Outcome outcome, std::string_view result) {
  const ScreenSize size = size_();
  const std::string line = finished_line(table, row, outcome, result, size.columns, style_);
  // What was never drawn was quick: it leaves its line and no flicker.
  if (!line.empty() || !rows_.empty())
    show(line, rows_.empty() ? std::vector<std::string>() : activity_rows(table, size, beat_));
}

void ProgressRows::note(std::string_view text) {
  show(note_lines(text, size_().columns), rows_);
}

void ProgressRows::warn(std::string_view text) {
  show(warning_lines(text, size_().columns, style_), rows_);
}

void ProgressRows::beat(const core::ActivityTable& table) {
  ++beat_;
  show("", activity_rows(table, size_(), beat_));
}

void ProgressRows::show(const std::string& lines, std::vector<std::string> rows) {
  std::string out = to_first_row(size_().columns);
  if (!lines.empty()) out += (rows_.empty() ? "" : kClearBelow) + lines;
  for (std::size_t i = 0; i < rows.size(); ++i) out += (i == 0 ? "" : "\r\n") + rows[i] + kClearLine;
  if (!rows_.empty()) out += kClearBelow;
  rows_ = std::move(rows);
  write_(out);
}

/// A window that became narrower shows a row on several lines.
std::string ProgressRows::to_first_row(std::size_t columns) const {
  if (rows_.empty()) return {};
  std::size_t lines = 0;
  for (const std::string& row : rows_)
    lines += std::max<std::size_t>(1, (columns_of(row) + columns - 1) / columns);
  return "\r" + up(lines - 1);
}

}  // namespace imgforge::cli
