// Kinds of errors by the names that other processes print and send.
#pragma once

#include <optional>
#include <string_view>

#include "core/error.hpp"

namespace imgforge::core {

/// The kind that kind_name calls so; nothing for any other text.
std::optional<Kind> kind_named(std::string_view name);

}  // namespace imgforge::core
