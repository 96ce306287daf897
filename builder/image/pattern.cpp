#include "builder/image/pattern.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {

std::regex compiled_pattern(const std::string& pattern) {
  try {
    return std::regex(pattern, std::regex::ECMAScript);
  } catch (const std::regex_error& error) {
    throw core::Error(core::Kind::kUsage, fmt::format("\"{}\" is not a regular expression: {}",
                                                      core::escaped(pattern), error.what()));
  }
}

}  // namespace imgforge::image
