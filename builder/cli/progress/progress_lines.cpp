#include "builder/cli/progress/progress_lines.hpp"

#include <algorithm>

#include "builder/cli/progress/progress_text.hpp"

namespace imgforge::cli {
namespace {

constexpr double kFirstSign = 30;        ///< seconds
constexpr double kLongestSilence = 300;  ///< many CI systems end a job that is silent for ten minutes

}  // namespace

void ProgressLines::ended(const core::ActivityTable& table, const core::ActivityRow& row,
                          core::Outcome outcome, std::string_view result) {
  next_.erase(row.id);
  const std::string line = finished_line(table, row, outcome, result, kUnlimited, style_);
  if (!line.empty()) write_(line);
}

void ProgressLines::note(std::string_view text) {
  write_(note_lines(text, kUnlimited));
}

void ProgressLines::warn(std::string_view text) {
  write_(warning_lines(text, kUnlimited, style_));
}

void ProgressLines::beat(const core::ActivityTable& table) {
  for (const auto& [row, depth] : table.places()) {
    if (depth > 0) continue;
    double& next = next_.try_emplace(row->id, kFirstSign).first->second;
    const double seconds = table.seconds(*row);
    if (seconds < next) continue;
    write_(heartbeat_line(table, *row));
    while (next <= seconds) next += std::min(next, kLongestSilence);
  }
}

}  // namespace imgforge::cli
