// Percent-encoding of URLs (RFC 3986, 2.1), the one step that all who decode it share.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace imgforge::core {

/// The byte that the escape "%XX" at `at` stands for; nothing when there is none.
std::optional<char> escaped_byte(std::string_view text, std::size_t at);

}  // namespace imgforge::core
