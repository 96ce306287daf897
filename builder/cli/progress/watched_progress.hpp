// The program's Progress: keeps the table of what runs, and a thread that lets a view show it also while
// nothing is said.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>

#include "builder/cli/frame/terminal.hpp"
#include "builder/cli/progress/progress_view.hpp"
#include "core/activity_table.hpp"
#include "core/progress.hpp"

namespace imgforge::cli {

class WatchedProgress : public core::Progress {
 public:
  /// Quiet: only warnings reach the view. The clock must outlive this.
  WatchedProgress(std::unique_ptr<ProgressView> view, const core::SteadyClock& clock, Verbosity verbosity);

  void note(std::string_view text) override;
  void warn(std::string_view text) override;

 private:
  core::ActivityId start(std::string_view name, core::ActivityId parent) override;
  void say(core::ActivityId activity, std::string_view detail) override;
  void count(core::ActivityId activity, const core::Amount& amount) override;
  void end(core::ActivityId activity, core::Outcome outcome, std::string_view result) override;
  void start_beating();
  void keep_beating(const std::stop_token& stop);

  const std::unique_ptr<ProgressView> view_;
  const bool is_quiet_;
  std::mutex mutex_;  ///< of all below, and of the view
  core::ActivityTable table_;
  std::condition_variable_any began_;
  std::jthread beating_;  ///< from the first activity on; ends before the others are destroyed
};

/// What `--progress` chooses, on standard error: "plain" lines, "json" events, "auto" rows on a terminal and
/// else lines.
std::unique_ptr<core::Progress> make_progress(std::string_view choice, Colour colour, Verbosity verbosity);

}  // namespace imgforge::cli
