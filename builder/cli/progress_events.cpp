#include "builder/cli/progress_events.hpp"

#include <cmath>
#include <string>

#include "core/error_json.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

constexpr std::chrono::milliseconds kBetweenUpdates{450};  ///< less than a beat, so that none is skipped

std::string_view outcome_name(core::Outcome outcome) {
  switch (outcome) {
    case core::Outcome::kDone:
      return "done";
    case core::Outcome::kKnown:
      return "known";
    case core::Outcome::kFailed:
      return "failed";
  }
  return "?";
}

core::Json event(std::string_view name) {
  return {{"schema", 1}, {"event", name}};
}

core::Json event_of(std::string_view name, const core::ActivityRow& row) {
  core::Json out = event(name);
  out["id"] = row.id;
  out["name"] = row.name;
  if (row.parent != core::kNoActivity) out["parent"] = row.parent;
  return out;
}

void add_state(core::Json& out, const core::ActivityTable& table, const core::ActivityRow& row,
               std::string_view detail) {
  out["seconds"] = std::round(table.seconds(row) * 1000) / 1000;
  if (!detail.empty()) out["detail"] = detail;
  if (!row.amount) return;
  out[row.amount->unit == core::Amount::Unit::kBytes ? "bytes" : "count"] = row.amount->done;
  if (row.amount->total) out["total"] = *row.amount->total;
}

/// Text that is no UTF-8 must not spoil the stream.
std::string line_of(const core::Json& object) {
  return object.dump(-1, ' ', false, core::Json::error_handler_t::replace) + "\n";
}

}  // namespace

void ProgressEvents::began(const core::ActivityTable&, const core::ActivityRow& row) {
  updates_[row.id] = {};
  write_(line_of(event_of("begin", row)));
}

void ProgressEvents::moved(const core::ActivityTable& table, const core::ActivityRow& row) {
  Updates& updates = updates_[row.id];
  updates.is_waiting = true;
  if (table.now() - updates.last >= kBetweenUpdates) update(table, row, updates);
}

void ProgressEvents::beat(const core::ActivityTable& table) {
  for (auto& [id, updates] : updates_) {
    const core::ActivityRow* row = table.find(id);
    if (row != nullptr && updates.is_waiting && table.now() - updates.last >= kBetweenUpdates)
      update(table, *row, updates);
  }
}

void ProgressEvents::update(const core::ActivityTable& table, const core::ActivityRow& row,
                            Updates& updates) {
  updates = {.last = table.now(), .is_waiting = false};
  core::Json out = event_of("update", row);
  add_state(out, table, row, row.detail);
  write_(line_of(out));
}

void ProgressEvents::ended(const core::ActivityTable& table, const core::ActivityRow& row,
                           core::Outcome outcome, std::string_view result) {
  updates_.erase(row.id);
  core::Json out = event_of("end", row);
  out["outcome"] = outcome_name(outcome);
  add_state(out, table, row, result);
  write_(line_of(out));
}

void ProgressEvents::note(std::string_view text) {
  core::Json out = event("note");
  out["text"] = text;
  write_(line_of(out));
}

void ProgressEvents::warn(std::string_view text) {
  core::Json out = event("warning");
  out["text"] = text;
  write_(line_of(out));
}

std::string error_event(const core::Error& error) {
  core::Json out = event("error");
  out["error"] = core::error_body(error);
  return line_of(out);
}

}  // namespace imgforge::cli
