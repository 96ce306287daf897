// Text in XML documents (XML 1.0).
#pragma once

#include <string>
#include <string_view>

namespace imgforge::image {

/// Text as character data or as the value of an attribute; control characters other than tab and line ends
/// have no place in a document, and are left out.
std::string escaped_xml(std::string_view text);

}  // namespace imgforge::image
