// JSON lists of thousands of rows: made on all cores, and never one document in memory.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/json_fwd.hpp"

namespace imgforge::cli {

/// The text of print_json for `head` with one more member, the list of row(0) to row(count - 1). `row` is
/// called from several threads; its first error is thrown on.
std::string print_json_rows(const core::Json& head, std::string_view key, std::size_t count,
                            const std::function<core::Json(std::size_t)>& row);

}  // namespace imgforge::cli
