#include "signing/signers/pkcs11_uri.hpp"

#include <p11-kit/uri.h>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Kind;
constexpr std::size_t kMaxUri = 2048;

Error refused(const std::string& why) {
  return std::move(Error(Kind::kUsage, "the PKCS #11 URI " + why)
                       .hint("an example: pkcs11:token=imgforge;object=release (RFC 7512)"));
}

}  // namespace

Pkcs11Uri Pkcs11Uri::parse(std::string_view text) {
  Pkcs11Uri uri;
  uri.text_ = text;
  uri.uri_.reset(::p11_kit_uri_new(), &::p11_kit_uri_free);
  if (!uri.uri_) throw Error(Kind::kIo, "out of memory");
  if (text.size() > kMaxUri || text.find('\0') != std::string_view::npos) throw refused("is too long");
  if (const int result = ::p11_kit_uri_parse(uri.text_.c_str(), P11_KIT_URI_FOR_ANY, uri.get());
      result != P11_KIT_URI_OK)
    throw refused("is none: " + core::escaped(::p11_kit_uri_message(result), 120));
  if (::p11_kit_uri_any_unrecognized(uri.get()) != 0) throw refused("has attributes that nobody knows");
  if (::p11_kit_uri_get_pin_value(uri.get()) != nullptr) {
    throw Error(Kind::kUsage, "a PIN in the URI (pin-value) can be read by everybody")
        .hint("use --passphrase-file, --passphrase-fd or pin-source=file:/PATH");
  }
  if (const char* source = ::p11_kit_uri_get_pin_source(uri.get()); source != nullptr) {
    std::string_view name(source);
    if (name.starts_with("file:")) name.remove_prefix(5);
    if (name.starts_with("//")) name.remove_prefix(2);
    if (!name.starts_with('/')) throw refused("has another pin-source than file:/PATH");
    uri.pin_file_ = name;
  }
  return uri;
}

}  // namespace imgforge::signing
