// JSON with the strictness that signed files need: duplicate keys, depth and size are checked.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/json_fwd.hpp"

// Generated once, in json.cpp.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace imgforge::core {

struct JsonLimits {
  std::size_t bytes = 1 << 20;
  int depth = 16;
};

/// Parses UTF-8 JSON; duplicate keys, floats out of range, excess depth or size throw kIntegrity naming
/// `what`.
Json parse_json(std::string_view text, std::string_view what, JsonLimits limits = {});
/// Two-space indented text with a final newline.
std::string print_json(const Json& value);

}  // namespace imgforge::core
