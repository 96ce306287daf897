// Running activities as text: rows of a terminal and lines of a log. Pure functions of the activities, the
// size of the screen and what the activities' clock says.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "builder/cli/frame/terminal.hpp"
#include "core/activity_table.hpp"

namespace imgforge::cli {

/// A row for each activity, parts below what they are parts of, without newlines. Never wider than the screen
/// less one column, for the cursor, and never more than it has rows less one: then the last row counts those
/// that are not shown. `beat` turns the spinners.
std::vector<std::string> activity_rows(const core::ActivityTable& table, ScreenSize size, unsigned beat);

/// The line of a finished step; empty for parts, for what failed (its error follows) and for what has no
/// result to tell. `columns` may be kUnlimited.
std::string finished_line(const core::ActivityTable& table, const core::ActivityRow& row,
                          core::Outcome outcome, std::string_view result, std::size_t columns,
                          const Style& style);

/// "  … minimal/rootfs: appliance starting, 60 s" and a newline: what a log says of a step that takes long.
/// While parts of it run it names the newest one.
std::string heartbeat_line(const core::ActivityTable& table, const core::ActivityRow& row);

/// "12.0 of 40.0 MB", "3 of 20", "12.0 MB"; empty when nothing was counted.
std::string amount_text(const core::ActivityRow& row);

}  // namespace imgforge::cli
