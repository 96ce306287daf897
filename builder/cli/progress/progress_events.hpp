// The view for scripts (`--progress json`): one JSON object a line, as the table in builder/README.md
// ("Progress") says.
#pragma once

#include <map>

#include "builder/cli/progress/progress_view.hpp"
#include "core/error.hpp"

namespace imgforge::cli {

class ProgressEvents : public ProgressView {
 public:
  explicit ProgressEvents(Output write) : write_(std::move(write)) {}

  void began(const core::ActivityTable& table, const core::ActivityRow& row) override;
  void moved(const core::ActivityTable& table, const core::ActivityRow& row) override;
  void ended(const core::ActivityTable& table, const core::ActivityRow& row, core::Outcome outcome,
             std::string_view result) override;
  void note(std::string_view text) override;
  void warn(std::string_view text) override;
  /// Tells the updates that came too soon after others.
  void beat(const core::ActivityTable& table) override;
  std::chrono::milliseconds interval() const override { return std::chrono::milliseconds(500); }

 private:
  /// Of one activity.
  struct Updates {
    core::Instant last = {};
    bool is_waiting = false;
  };
  void update(const core::ActivityTable& table, const core::ActivityRow& row, Updates& updates);

  Output write_;
  std::map<core::ActivityId, Updates> updates_;
};

/// The event of the error that a command ended with, with its newline.
std::string error_event(const core::Error& error);

}  // namespace imgforge::cli
