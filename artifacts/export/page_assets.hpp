// The style and the script of the catalogue page. Both stand inline in the page, which loads nothing; the
// page says all it has to say without the script.
#pragma once

#include <string_view>

namespace imgforge::exports {

/// Light and dark by the reader's preference.
extern const std::string_view kPageStyle;
/// Sorting by the table's headers, copying of commands, and the page's own address in them.
extern const std::string_view kPageScript;

}  // namespace imgforge::exports
