#include "builder/export/html.hpp"

#include <array>
#include <utility>

#include "core/digest.hpp"
#include "core/markup.hpp"
#include "core/text.hpp"

namespace imgforge::exports {
namespace {

constexpr std::size_t kMaxText = 2000;

/// Bidirectional controls (Unicode TR9) could make a name read as another one.
constexpr std::array kDirectionControls{
    std::pair{"\u202a", "\\u202a"}, std::pair{"\u202b", "\\u202b"}, std::pair{"\u202c", "\\u202c"},
    std::pair{"\u202d", "\\u202d"}, std::pair{"\u202e", "\\u202e"}, std::pair{"\u2066", "\\u2066"},
    std::pair{"\u2067", "\\u2067"}, std::pair{"\u2068", "\\u2068"}, std::pair{"\u2069", "\\u2069"},
    std::pair{"\u200e", "\\u200e"}, std::pair{"\u200f", "\\u200f"}, std::pair{"\u061c", "\\u061c"}};

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string plain = core::escaped(text, kMaxText);
  for (const auto& [control, shown] : kDirectionControls) replace_all(plain, control, shown);
  return core::escaped_markup(plain);
}

std::string csp_hash(std::string_view content) {
  return "'sha256-" + core::to_base64(core::digest_of(core::HashAlgorithm::kSha256, content).bytes()) + "'";
}

}  // namespace imgforge::exports
