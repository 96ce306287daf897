// Names and versions of releases. A version is the day of the build, "v20261120", and for further different
// builds of the same day "v20261120.1" and so on, or a text that the recipe chose, such as "1.4.2".
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace imgforge::artifacts {

/// Chosen versions order before dated ones, and among themselves as people count: "1.9" before "1.10".
/// `current` never depends on order.
struct Version {
  std::string date;       ///< eight digits, as core::compact_date prints; empty for a chosen version
  unsigned revision = 0;  ///< 0 for the first release of the day
  std::string chosen{};   ///< the recipe's own text; empty for a dated version
  std::string to_string() const;
  /// Nothing unless `text` is exactly what to_string prints for some version.
  static std::optional<Version> parse(std::string_view text);
  std::strong_ordering operator<=>(const Version& other) const;
  bool operator==(const Version&) const = default;
};

/// True for `[A-Za-z0-9][A-Za-z0-9._+-]*` of at most 200 bytes: no separators, nothing hidden, no "..".
bool is_file_name(std::string_view text);

}  // namespace imgforge::artifacts
