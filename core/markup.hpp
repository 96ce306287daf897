// Text in XML (1.0) and HTML documents.
#pragma once

#include <string>
#include <string_view>

namespace imgforge::core {

/// Text as character data or as the value of a quoted attribute: it cannot end that or begin an element.
/// Control characters other than tab and line ends have no place in a document, and are left out.
std::string escaped_markup(std::string_view text);

}  // namespace imgforge::core
