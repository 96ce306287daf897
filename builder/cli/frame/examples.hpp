// Examples for the help of commands that declare none of their own.
#pragma once

#include <string>
#include <string_view>

namespace imgforge::cli {

/// Footer of `imgforge COMMAND --help`; empty for a command that is not in the table.
std::string example_of(std::string_view command);

}  // namespace imgforge::cli
