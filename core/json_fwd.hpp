// The name core::Json for headers that only hand JSON on: without the library, whose parsing costs a second a
// unit. Who looks into a value includes core/json.hpp.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace imgforge::core {

/// Keeps the order in which members were written.
using Json = nlohmann::ordered_json;

}  // namespace imgforge::core
