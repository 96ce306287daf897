// Times read from text; core/clock.hpp writes them.
#pragma once

#include <optional>
#include <string_view>

#include "core/clock.hpp"

namespace imgforge::core {

/// "2026-11-20T01:02:03Z" as a time; nothing for another text.
std::optional<UnixTime> parse_iso_time(std::string_view text);

}  // namespace imgforge::core
