// The view for logs: a plain line for each finished step, and a sign of life from one that takes long.
#pragma once

#include <map>

#include "builder/cli/frame/terminal.hpp"
#include "builder/cli/progress/progress_view.hpp"

namespace imgforge::cli {

class ProgressLines : public ProgressView {
 public:
  ProgressLines(Output write, Style style) : write_(std::move(write)), style_(style) {}

  void began(const core::ActivityTable&, const core::ActivityRow&) override {}
  void moved(const core::ActivityTable&, const core::ActivityRow&) override {}
  void ended(const core::ActivityTable& table, const core::ActivityRow& row, core::Outcome outcome,
             std::string_view result) override;
  void note(std::string_view text) override;
  void warn(std::string_view text) override;
  /// Says that a step still runs after 30, 60, 120, 240, 480 seconds, and from then on every five minutes.
  void beat(const core::ActivityTable& table) override;
  std::chrono::milliseconds interval() const override { return std::chrono::milliseconds(1000); }

 private:
  Output write_;
  Style style_;
  std::map<core::ActivityId, double> next_;  ///< seconds after which a step speaks again
};

}  // namespace imgforge::cli
