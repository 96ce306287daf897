// The parts of the catalogue page that repeat: the table of releases, what is told of a line, and how to
// verify and use what is there. Private to page.cpp. The code is in page_release_table.cpp, page_line.cpp and
// page_instructions.cpp.
#pragma once

#include <string>

#include "builder/export/page.hpp"

namespace imgforge::exports {

std::string print_release_table(const Catalogue& catalogue);
/// Sizes, boot times and packages of one line; `number` makes its identifiers unique.
std::string print_line_section(const Line& line, std::size_t number);
std::string print_verify_section(const Catalogue& catalogue, const PageSigners& signers);
std::string print_use_section(const Catalogue& catalogue, const PageSigners& signers);

}  // namespace imgforge::exports
