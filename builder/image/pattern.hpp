// Regular expressions that users write: what the console or a command's output must show.
#pragma once

#include <regex>
#include <string>

namespace imgforge::image {

/// ECMAScript. Throws kUsage when it is no regular expression.
std::regex compiled_pattern(const std::string& pattern);

}  // namespace imgforge::image
