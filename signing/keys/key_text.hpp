// The outline that minisign's key files share: one comment line, one line of base64.
#pragma once

#include <cstddef>
#include <string_view>

namespace imgforge::signing {

inline constexpr std::string_view kUntrustedPrefix = "untrusted comment: ";
/// The reference tool reads comment lines into 1024 bytes.
inline constexpr std::size_t kMaxUntrustedLine = 1022;

struct KeyText {
  std::string_view comment;  ///< without its prefix
  std::string_view base64;
};

/// Takes the two lines apart (the last line end may be missing); `what` names the kind of file in messages.
/// Throws kSignature for any other outline: carriage returns, further lines, a missing comment.
KeyText split_key_text(std::string_view text, std::string_view what);

}  // namespace imgforge::signing
