#include "builder/compare/report/fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/clock.hpp"
#include "core/text.hpp"

namespace imgforge::compare {
namespace {

std::string padded_text(std::string_view bytes) {
  const std::size_t end = bytes.find_last_not_of(std::string_view(" \0", 2));
  return core::escaped(bytes.substr(0, end == std::string_view::npos ? 0 : end + 1));
}

std::string utf16_text(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    const std::uint64_t unit = little(bytes, i, 2);
    if (unit == 0) break;
    text += unit >= 0x20 && unit < 0x7F ? std::string(1, static_cast<char>(unit))
                                        : fmt::format("\\u{:04x}", unit);
  }
  return text;
}

std::string uuid_text(std::string_view bytes, bool is_mixed) {
  std::string ordered(bytes);
  if (ordered.size() != 16) return hex_text(bytes);
  if (is_mixed) {
    std::reverse(ordered.begin(), ordered.begin() + 4);
    std::reverse(ordered.begin() + 4, ordered.begin() + 6);
    std::reverse(ordered.begin() + 6, ordered.begin() + 8);
  }
  std::string text;
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(ordered[i]));
  }
  return text;
}

/// The runs of differing bytes that are in no field.
void add_uncovered(Node& node, std::string_view before, std::string_view after, std::vector<bool>& covered) {
  const std::size_t common = std::min({before.size(), after.size(), covered.size()});
  for (std::size_t i = 0; i < common; ++i) {
    if (before[i] == after[i] || covered[i]) continue;
    std::size_t end = i;
    while (end < common && before[end] != after[end] && !covered[end]) ++end;
    const std::size_t size = std::min<std::size_t>(end - i, 16);
    node.add(fmt::format("bytes {}-{}", i, end - 1), hex_text(before.substr(i, size)),
             hex_text(after.substr(i, size)));
    i = end;
  }
}

}  // namespace

std::uint64_t little(std::string_view bytes, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) {
    value = value << 8 | (offset + i < bytes.size() ? static_cast<unsigned char>(bytes[offset + i]) : 0);
  }
  return value;
}

std::uint64_t big(std::string_view bytes, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = value << 8 | (offset + i < bytes.size() ? static_cast<unsigned char>(bytes[offset + i]) : 0);
  }
  return value;
}

std::string hex_text(std::string_view bytes) {
  std::string text;
  for (const char c : bytes)
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", static_cast<unsigned char>(c));
  return text;
}

std::string time_text(std::int64_t seconds) {
  return fmt::format("{} ({})", core::iso_time(core::UnixTime(std::chrono::seconds(seconds))), seconds);
}

std::string show(Show how, std::string_view bytes) {
  switch (how) {
    case Show::kLittle:
      return std::to_string(little(bytes, 0, bytes.size()));
    case Show::kBig:
      return std::to_string(big(bytes, 0, bytes.size()));
    case Show::kHex:
      return fmt::format("{:#x}", little(bytes, 0, bytes.size()));
    case Show::kBytes:
      return hex_text(bytes.substr(0, 16)) + (bytes.size() > 16 ? " ..." : "");
    case Show::kText:
      return padded_text(bytes);
    case Show::kUtf16:
      return utf16_text(bytes);
    case Show::kUuid:
      return uuid_text(bytes, false);
    case Show::kGuid:
      return uuid_text(bytes, true);
    case Show::kTime:
      return time_text(static_cast<std::int64_t>(little(bytes, 0, 4)));
    case Show::kDigits:
      return padded_text(bytes.substr(0, std::min<std::size_t>(16, bytes.size())));
  }
  return {};
}

void compare_fields(Node& node, std::span<const Field> fields, std::string_view before,
                    std::string_view after) {
  std::vector<bool> covered(std::min(before.size(), after.size()), false);
  const auto shown = [](const Field& field, std::string_view bytes) -> std::optional<std::string> {
    if (field.offset >= bytes.size()) return std::nullopt;
    return show(field.show, bytes.substr(field.offset, field.size));
  };
  for (const Field& field : fields) {
    for (std::size_t i = field.offset; i < std::min<std::size_t>(covered.size(), field.offset + field.size);
         ++i)
      covered[i] = true;
    const auto part = [&](std::string_view bytes) {
      return field.offset < bytes.size() ? bytes.substr(field.offset, field.size) : std::string_view();
    };
    if (part(before) == part(after)) continue;
    std::optional<std::string> old_text = shown(field, before);
    std::optional<std::string> new_text = shown(field, after);
    if (old_text != new_text) {
      node.add(field.name, std::move(old_text), std::move(new_text));
    } else {  // the bytes differ where the text does not show it
      const std::string_view a = part(before);
      const std::string_view b = part(after);
      const auto at =
          static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
      node.add(fmt::format("{}, from its byte {}", field.name, at), hex_text(a.substr(at, 16)),
               hex_text(b.substr(at, 16)));
    }
  }
  add_uncovered(node, before, after, covered);
}

}  // namespace imgforge::compare
