#include "core/kind_names.hpp"

namespace imgforge::core {

std::optional<Kind> kind_named(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Kind::kInterrupted); ++i)
    if (kind_name(static_cast<Kind>(i)) == name) return static_cast<Kind>(i);
  return std::nullopt;
}

}  // namespace imgforge::core
