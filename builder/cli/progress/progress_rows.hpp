// The view for terminals: what runs are rows at the bottom that move, what is finished are lines above them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "builder/cli/frame/terminal.hpp"
#include "builder/cli/progress/progress_text.hpp"
#include "builder/cli/progress/progress_view.hpp"

namespace imgforge::cli {

class ProgressRows : public ProgressView {
 public:
  /// `size` is asked before each drawing, as windows change.
  ProgressRows(Output write, std::function<ScreenSize()> size, Style style);
  /// Takes the rows away.
  ~ProgressRows() override;

  void began(const core::ActivityTable&, const core::ActivityRow&) override {}  // seen with the next beat
  void moved(const core::ActivityTable&, const core::ActivityRow&) override {}
  void ended(const core::ActivityTable& table, const core::ActivityRow& row, core::Outcome outcome,
             std::string_view result) override;
  void note(std::string_view text) override;
  void warn(std::string_view text) override;
  void beat(const core::ActivityTable& table) override;
  std::chrono::milliseconds interval() const override { return std::chrono::milliseconds(200); }

 private:
  /// Lines above rows, in place of what is on the screen.
  void show(const std::string& lines, std::vector<std::string> rows);
  std::string to_first_row(std::size_t columns) const;

  Output write_;
  std::function<ScreenSize()> size_;
  Style style_;
  unsigned beat_ = 0;
  std::vector<std::string> rows_;  ///< on the screen, the cursor behind the last one
};

}  // namespace imgforge::cli
