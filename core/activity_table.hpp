// The running activities of a Progress as data: what each says, how far it is, for how long it runs. The one
// place that measures; time comes from a clock that tests replace. For one thread at a time.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/progress.hpp"

namespace imgforge::core {

/// A running activity.
struct ActivityRow {
  ActivityId id = kNoActivity;
  ActivityId parent = kNoActivity;  ///< kNoActivity: it is no part
  std::string name;
  std::string detail = {};               ///< what it said last
  std::optional<Amount> amount = {};     ///< what it counted last
  Instant began = {};                    ///< when
  std::optional<Instant> counted_since;  ///< when the first amount was told
};

class ActivityTable {
 public:
  /// The clock must outlive the table.
  explicit ActivityTable(const SteadyClock& clock) : clock_(clock) {}

  /// A new row; references to rows are good until the row is taken.
  const ActivityRow& start(std::string_view name, ActivityId parent);
  /// The row with its new detail or amount; null for an id that does not run.
  const ActivityRow* say(ActivityId id, std::string_view detail);
  const ActivityRow* count(ActivityId id, const Amount& amount);
  /// Takes the row out; nothing for an id that does not run.
  std::optional<ActivityRow> take(ActivityId id);

  /// The row, or null.
  const ActivityRow* find(ActivityId id) const;
  struct Place {
    const ActivityRow* row;
    std::size_t depth;  ///< 0: no part; parts follow what they are parts of
  };
  /// All rows, in the order in which they began, parts behind what they are parts of.
  std::vector<Place> places() const;
  bool empty() const { return rows_.empty(); }

  /// Seconds since it began.
  double seconds(const ActivityRow& row) const;
  /// Bytes or things a second since it began to count; nothing in the first second, when it would say little,
  /// and while nothing came.
  std::optional<double> rate(const ActivityRow& row) const;
  Instant now() const { return clock_.now(); }

 private:
  void place(ActivityId parent, std::size_t depth, std::vector<Place>& out) const;
  ActivityRow* at(ActivityId id);

  const SteadyClock& clock_;
  ActivityId last_ = kNoActivity;
  std::map<ActivityId, ActivityRow> rows_;  ///< ids grow, so this is the order of beginnings
};

}  // namespace imgforge::core
