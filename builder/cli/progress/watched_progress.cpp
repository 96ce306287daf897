#include "builder/cli/progress/watched_progress.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "builder/cli/progress/progress_events.hpp"
#include "builder/cli/progress/progress_lines.hpp"
#include "builder/cli/progress/progress_rows.hpp"
#include "core/signals_blocked.hpp"

namespace imgforge::cli {
namespace {

/// That nobody reads what is said of the work is no reason to fail.
void write_to_standard_error(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// CI systems lend a terminal to what they record.
bool can_show_rows() {
  const char* ci = std::getenv("CI");
  return is_capable_terminal(STDERR_FILENO) && (ci == nullptr || *ci == '\0');
}

std::unique_ptr<ProgressView> view_for(std::string_view choice, Colour colour) {
  if (choice == "json") return std::make_unique<ProgressEvents>(write_to_standard_error);
  if (choice == "auto" && can_show_rows())
    return std::make_unique<ProgressRows>(
        write_to_standard_error, [] { return size_of_terminal(STDERR_FILENO); }, Style(colour));
  return std::make_unique<ProgressLines>(write_to_standard_error, Style(colour));
}

}  // namespace

WatchedProgress::WatchedProgress(std::unique_ptr<ProgressView> view, const core::SteadyClock& clock,
                                 Verbosity verbosity)
    : view_(std::move(view)), is_quiet_(verbosity == Verbosity::kQuiet), table_(clock) {}

void WatchedProgress::note(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (!is_quiet_) view_->note(text);
}

void WatchedProgress::warn(std::string_view text) {
  const std::lock_guard lock(mutex_);
  view_->warn(text);
}

core::ActivityId WatchedProgress::start(std::string_view name, core::ActivityId parent) {
  const std::lock_guard lock(mutex_);
  const core::ActivityRow& row = table_.start(name, parent);
  if (!is_quiet_) {
    view_->began(table_, row);
    start_beating();
  }
  return row.id;
}

void WatchedProgress::say(core::ActivityId activity, std::string_view detail) {
  const std::lock_guard lock(mutex_);
  const core::ActivityRow* row = table_.say(activity, detail);
  if (row != nullptr && !is_quiet_) view_->moved(table_, *row);
}

void WatchedProgress::count(core::ActivityId activity, const core::Amount& amount) {
  const std::lock_guard lock(mutex_);
  const core::ActivityRow* row = table_.count(activity, amount);
  if (row != nullptr && !is_quiet_) view_->moved(table_, *row);
}

void WatchedProgress::end(core::ActivityId activity, core::Outcome outcome, std::string_view result) {
  const std::lock_guard lock(mutex_);
  const auto row = table_.take(activity);
  if (row && !is_quiet_) view_->ended(table_, *row, outcome, result);
}

void WatchedProgress::start_beating() {
  if (!beating_.joinable()) {
    const core::SignalsBlocked blocked;
    beating_ = std::jthread([this](const std::stop_token& stop) { keep_beating(stop); });
  }
  began_.notify_one();
}

void WatchedProgress::keep_beating(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    began_.wait(lock, stop, [this] { return !table_.empty(); });
    // Nothing but the end cuts an interval short.
    began_.wait_for(lock, stop, view_->interval(), [] { return false; });
    if (!stop.stop_requested() && !table_.empty()) view_->beat(table_);
  }
}

std::unique_ptr<core::Progress> make_progress(std::string_view choice, Colour colour, Verbosity verbosity) {
  return std::make_unique<WatchedProgress>(view_for(choice, colour), core::steady_clock(), verbosity);
}

}  // namespace imgforge::cli
