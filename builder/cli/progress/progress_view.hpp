// How activities are shown: as rows of a terminal, as lines of a log, or as events for scripts. A view is
// told by one thread at a time and writes at once what is to be seen.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "core/activity_table.hpp"

namespace imgforge::cli {

/// Writes to standard error, or to what a test reads. Must not throw.
using Output = std::function<void(std::string_view)>;

class ProgressView {
 public:
  virtual ~ProgressView() = default;
  /// `table` holds all that run now: `row` among them in the first two, no more in the last one.
  virtual void began(const core::ActivityTable& table, const core::ActivityRow& row) = 0;
  virtual void moved(const core::ActivityTable& table, const core::ActivityRow& row) = 0;
  virtual void ended(const core::ActivityTable& table, const core::ActivityRow& row, core::Outcome outcome,
                     std::string_view result) = 0;
  virtual void note(std::string_view text) = 0;
  virtual void warn(std::string_view text) = 0;
  /// Time goes by: called after each interval() while anything runs.
  virtual void beat(const core::ActivityTable& table) = 0;
  virtual std::chrono::milliseconds interval() const = 0;
};

}  // namespace imgforge::cli
