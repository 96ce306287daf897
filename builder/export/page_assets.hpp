// The style and the script of the catalogue page: the files style.css and script.js beside this one. Both
// stand inline in the page, which loads nothing; the page says all it has to say without the script.
#pragma once

#include <string>

namespace imgforge::exports {

/// What stands between the page's style tags. Light and dark by the reader's preference.
std::string page_style();
/// What stands between its script tags: sorting by the table's headers, copying of commands, and the page's
/// own address in them.
std::string page_script();

}  // namespace imgforge::exports
