#include "signing/keys/key_text.hpp"

#include <string>

#include "core/error.hpp"

namespace imgforge::signing {

using core::Error;
using core::Kind;

KeyText split_key_text(std::string_view text, std::string_view what) {
  const auto malformed = [&](std::string_view why) {
    return Error(Kind::kSignature, "malformed " + std::string(what) + ": " + std::string(why));
  };
  if (text.empty()) throw malformed("it is empty");
  if (text.find('\r') != std::string_view::npos) {
    throw malformed("it has Windows line ends").hint("convert it with `sed -i 's/\\r$//'`");
  }
  if (text.find('\0') != std::string_view::npos) throw malformed("it is binary");
  if (!text.starts_with(kUntrustedPrefix)) {
    throw malformed("the first line does not begin with \"" + std::string(kUntrustedPrefix) + "\"");
  }
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) throw malformed("the second line is missing");
  if (end > kMaxUntrustedLine) throw malformed("the comment is too long");
  std::string_view base64 = text.substr(end + 1);
  if (base64.ends_with('\n')) base64.remove_suffix(1);
  if (base64.find('\n') != std::string_view::npos)
    throw malformed("there is something after the second line");
  return {text.substr(kUntrustedPrefix.size(), end - kUntrustedPrefix.size()), base64};
}

}  // namespace imgforge::signing
