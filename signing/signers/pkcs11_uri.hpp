// Where a key is on a token (RFC 7512): "pkcs11:token=imgforge;object=release". With "?module-path=" it names
// the module too, else every module that p11-kit is configured with is asked.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct p11_kit_uri;

namespace imgforge::signing {

class Pkcs11Uri {
 public:
  /// Throws kUsage for what is no such URI, for attributes that are not known, and for `pin-value`: the
  /// command line is for everybody to read.
  static Pkcs11Uri parse(std::string_view text);

  const std::string& text() const { return text_; }
  /// The file of `pin-source=file:/...`; empty without one.
  const std::filesystem::path& pin_file() const { return pin_file_; }
  /// The URI as p11-kit has it.
  p11_kit_uri* get() const { return uri_.get(); }

 private:
  std::string text_;
  std::filesystem::path pin_file_;
  std::shared_ptr<p11_kit_uri> uri_;
};

}  // namespace imgforge::signing
