#include "core/activity_table.hpp"

#include <algorithm>
#include <utility>

namespace imgforge::core {
namespace {

double seconds_between(Instant begin, Instant end) {
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace

const ActivityRow& ActivityTable::start(std::string_view name, ActivityId parent) {
  // A part of what has ended stands alone, so that it is seen.
  ActivityRow row{.id = ++last_,
                  .parent = rows_.contains(parent) ? parent : kNoActivity,
                  .name = std::string(name),
                  .began = now(),
                  .counted_since = {}};
  return rows_.emplace(last_, std::move(row)).first->second;
}

const ActivityRow* ActivityTable::say(ActivityId id, std::string_view detail) {
  ActivityRow* row = at(id);
  if (row != nullptr) row->detail = detail;
  return row;
}

const ActivityRow* ActivityTable::count(ActivityId id, const Amount& amount) {
  ActivityRow* row = at(id);
  if (row == nullptr) return nullptr;
  row->amount = amount;
  if (!row->counted_since) row->counted_since = now();
  return row;
}

std::optional<ActivityRow> ActivityTable::take(ActivityId id) {
  auto node = rows_.extract(id);
  if (node.empty()) return std::nullopt;
  for (auto& [other, row] : rows_) {
    if (row.parent == id) row.parent = kNoActivity;
  }
  return std::move(node.mapped());
}

const ActivityRow* ActivityTable::find(ActivityId id) const {
  const auto found = rows_.find(id);
  return found == rows_.end() ? nullptr : &found->second;
}

std::vector<ActivityTable::Place> ActivityTable::places() const {
  std::vector<Place> out;
  place(kNoActivity, 0, out);
  return out;
}

double ActivityTable::seconds(const ActivityRow& row) const {
  return seconds_between(row.began, now());
}

std::optional<double> ActivityTable::rate(const ActivityRow& row) const {
  if (!row.amount || !row.counted_since || row.amount->done <= row.amount->found) return std::nullopt;
  const double seconds = seconds_between(*row.counted_since, now());
  if (seconds < 1) return std::nullopt;
  return static_cast<double>(row.amount->done - row.amount->found) / seconds;
}

void ActivityTable::place(ActivityId parent, std::size_t depth, std::vector<Place>& out) const {
  for (const auto& [id, row] : rows_) {
    if (row.parent != parent) continue;
    out.push_back({&row, depth});
    place(id, depth + 1, out);
  }
}

ActivityRow* ActivityTable::at(ActivityId id) {
  const auto found = rows_.find(id);
  return found == rows_.end() ? nullptr : &found->second;
}

}  // namespace imgforge::core
