// A progress that records what it is told, and a clock that stands until it is moved.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/progress.hpp"

namespace imgforge::testing {

class RecordedProgress : public core::Progress {
 public:
  /// Names of activities; a part has that of what it is a part of before it: "base > download".
  std::vector<std::string> lines;  ///< "begin NAME", "done NAME", "known NAME" or "failed NAME"
  std::vector<std::string> details;
  std::vector<core::Amount> amounts;
  std::vector<std::string> results;  ///< the words at the ends
  std::vector<std::string> warnings;

  void note(std::string_view) override {}
  void warn(std::string_view text) override {
    const std::lock_guard lock(mutex_);
    warnings.emplace_back(text);
  }
  /// How many were begun and not ended.
  std::size_t running() const { return names_.size(); }

 private:
  core::ActivityId start(std::string_view name, core::ActivityId parent) override {
    const std::lock_guard lock(mutex_);
    names_[++last_] = (parent == core::kNoActivity ? "" : names_[parent] + " > ") + std::string(name);
    lines.push_back("begin " + names_[last_]);
    return last_;
  }
  void say(core::ActivityId, std::string_view detail) override {
    const std::lock_guard lock(mutex_);
    details.emplace_back(detail);
  }
  void count(core::ActivityId, const core::Amount& amount) override {
    const std::lock_guard lock(mutex_);
    amounts.push_back(amount);
  }
  void end(core::ActivityId activity, core::Outcome outcome, std::string_view detail) override {
    const std::lock_guard lock(mutex_);
    const char* word = outcome == core::Outcome::kDone ? "done " : "known ";
    if (outcome == core::Outcome::kFailed) word = "failed ";
    lines.push_back(word + names_.at(activity));
    results.emplace_back(detail);
    names_.erase(activity);
  }

  std::mutex mutex_;
  core::ActivityId last_ = core::kNoActivity;
  std::map<core::ActivityId, std::string> names_;  ///< of those that run
};

class StandingClock : public core::SteadyClock {
 public:
  core::Instant now() const override { return now_; }
  void pass(std::chrono::milliseconds time) { now_ += time; }

 private:
  core::Instant now_{std::chrono::hours(1)};
};

}  // namespace imgforge::testing
