// Text measured in the columns of a terminal, not in bytes, so that lines fit its width.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::cli {

/// Columns that UTF-8 text takes: wide East Asian characters and emoji two, combining, format and control
/// characters none, a byte that is not UTF-8 one. Does not depend on the locale.
std::size_t columns_of(std::string_view text);

/// `text` when it takes at most `columns`, else its longest beginning that fits together with a closing "…".
/// A character is taken whole, with the marks that combine with it.
std::string cut_to_columns(std::string_view text, std::size_t columns);

/// `text` with blanks behind it up to `columns`.
std::string padded_to_columns(std::string_view text, std::size_t columns);

/// `text` in lines of at most `columns`, broken at blanks and newlines; a word that is longer is broken
/// inside. One empty line for empty text.
std::vector<std::string> wrapped_to_columns(std::string_view text, std::size_t columns);

}  // namespace imgforge::cli
