// Text on its way into HTML. Everything that a manifest, a key or a user says goes through `escape_html`,
// which leaves no way to end an attribute or begin an element, and shows control characters instead of
// sending them.
#pragma once

#include <string>
#include <string_view>

namespace imgforge::exports {

/// For element content and quoted attributes. Control bytes, invalid UTF-8 and characters that turn the
/// direction of writing are shown as escapes; more than 2000 bytes are cut.
std::string escape_html(std::string_view text);

/// The `source` expression of a Content-Security-Policy that allows exactly this inline script or style.
std::string csp_hash(std::string_view content);

}  // namespace imgforge::exports
