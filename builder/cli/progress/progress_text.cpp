#include "builder/cli/progress/progress_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "builder/cli/frame/columns.hpp"
#include "core/bytes.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::ActivityRow;
using core::ActivityTable;

constexpr std::size_t kNameWidth = 28;   ///< as in the lines of finished steps
constexpr std::size_t kLeastDetail = 8;  ///< columns; less of a detail says nothing
constexpr std::array kSpinner{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};

std::string elapsed_text(double seconds) {
  return fmt::format("{} s", static_cast<std::uint64_t>(seconds));
}

/// "12.0 of 40.0 MB": the unit once when it is the same.
std::string bytes_text(std::uint64_t done, std::uint64_t total) {
  std::string first = core::Bytes{done}.human();
  const std::string second = core::Bytes{total}.human();
  const auto unit_of = [](const std::string& text) { return text.substr(text.find(' ') + 1); };
  if (unit_of(first) == unit_of(second)) first.resize(first.find(' '));
  return fmt::format("{} of {}", first, second);
}

/// "38.0 MB/s" and "1 s left", where they are known. Things are not that quick.
std::vector<std::string> speed_texts(const ActivityTable& table, const ActivityRow& row) {
  const auto rate = table.rate(row);
  if (!rate || row.amount->unit != core::Amount::Unit::kBytes) return {};
  std::vector<std::string> out{core::Bytes{static_cast<std::uint64_t>(*rate)}.human() + "/s"};
  if (const auto& total = row.amount->total; total && *total > row.amount->done)
    out.push_back(fmt::format("{:.0f} s left", static_cast<double>(*total - row.amount->done) / *rate + 0.5));
  return out;
}

std::string joined(const std::vector<std::string>& facts) {
  return fmt::format("{}", fmt::join(facts, " · "));
}

/// Detail and facts in at most `room` columns: the detail is cut before facts are left out, the last ones
/// first.
std::string fitted(const std::string& detail, std::vector<std::string> facts, std::size_t room) {
  while (!facts.empty() && columns_of(joined(facts)) > room) facts.pop_back();
  if (facts.empty()) return cut_to_columns(detail, room);
  const std::string text = joined(facts);
  if (detail.empty()) return text;
  constexpr std::size_t separator = 3;
  const std::size_t left = room - columns_of(text);
  if (left < separator + std::min(kLeastDetail, columns_of(detail))) return text;
  return fmt::format("{} · {}", cut_to_columns(detail, left - separator), text);
}

std::string row_text(const ActivityTable& table, const ActivityTable::Place& place, std::size_t width,
                     unsigned beat) {
  const ActivityRow& row = *place.row;
  const bool is_part = place.depth > 0;
  const std::string lead = fmt::format("{}{} ", std::string(2 + 2 * place.depth, ' '),
                                       is_part ? "└" : kSpinner[beat % kSpinner.size()]);
  const std::size_t name_width = std::min(kNameWidth, width / 2);
  const std::string name = cut_to_columns(core::escaped(row.name), name_width);
  // What steps say stands below each other; parts have much to say.
  std::string text = lead + (is_part ? name : padded_to_columns(name, name_width)) + " ";
  const std::string tail = "  " + elapsed_text(table.seconds(row));
  std::vector<std::string> facts;
  if (row.amount) facts.push_back(amount_text(row));
  for (std::string& fact : speed_texts(table, row)) facts.push_back(std::move(fact));
  const std::size_t taken = columns_of(text) + columns_of(tail);
  if (taken < width) text += fitted(core::escaped(row.detail), std::move(facts), width - taken);
  return cut_to_columns(text + tail, width);
}

/// The newest activity that is a part of it, or itself.
const ActivityRow& newest_part(const ActivityTable& table, const ActivityRow& row) {
  const ActivityRow* newest = &row;
  for (const ActivityTable::Place& place : table.places()) {
    if (place.row->parent == newest->id) newest = place.row;
  }
  return *newest;
}

}  // namespace

std::vector<std::string> activity_rows(const ActivityTable& table, ScreenSize size, unsigned beat) {
  const std::vector<ActivityTable::Place> places = table.places();
  const std::size_t width = std::max<std::size_t>(size.columns, 2) - 1;
  const std::size_t most = std::max<std::size_t>(size.rows, 2) - 1;
  const std::size_t shown = places.size() <= most ? places.size() : most - 1;
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < shown; ++i) rows.push_back(row_text(table, places[i], width, beat));
  if (shown < places.size())
    rows.push_back(cut_to_columns(fmt::format("  … {} more", places.size() - shown), width));
  return rows;
}

std::string finished_line(const ActivityTable& table, const ActivityRow& row, core::Outcome outcome,
                          std::string_view result, std::size_t columns, const Style& style) {
  if (outcome == core::Outcome::kFailed || row.parent != core::kNoActivity || result.empty()) return {};
  const std::string took = outcome == core::Outcome::kKnown ? "cached" : seconds_text(table.seconds(row));
  return step_line(row.name, result, took, columns, style);
}

std::string heartbeat_line(const ActivityTable& table, const ActivityRow& row) {
  const ActivityRow& part = newest_part(table, row);
  std::vector<std::string> words;
  if (&part != &row) words.push_back(core::escaped(part.name));
  if (!part.detail.empty()) words.push_back(core::escaped(part.detail));
  if (part.amount) words.push_back(amount_text(part));
  words.push_back(elapsed_text(table.seconds(row)));
  return fmt::format("  … {}: {}\n", core::escaped(row.name), fmt::join(words, ", "));
}

std::string amount_text(const ActivityRow& row) {
  if (!row.amount) return {};
  const auto& [unit, done, total, found] = *row.amount;
  if (unit == core::Amount::Unit::kThings)
    return total ? fmt::format("{} of {}", done, *total) : std::to_string(done);
  return total ? bytes_text(done, *total) : core::Bytes{done}.human();
}

}  // namespace imgforge::cli
