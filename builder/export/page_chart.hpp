// The sizes of a line's images, release by release, as inline SVG with a text alternative.
#pragma once

#include <string>

#include "builder/export/releases.hpp"

namespace imgforge::exports {

/// A curve for each format. Empty when the line has fewer than two releases. `id` makes the identifiers of
/// this chart's texts unique in the page.
std::string print_size_chart(const Line& line, const std::string& id);

}  // namespace imgforge::exports
