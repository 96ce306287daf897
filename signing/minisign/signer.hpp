// Who signs what is published: one value for releases, lists of models, vendored folders and exported trees.
// It hands out texts of .minisig files and never the key, and it may be nobody.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "signing/keys/secret_key.hpp"

namespace imgforge::signing {

class Signer {
 public:
  /// Text of the .minisig for a file of that name and content, signed at `time`.
  using Sign = std::function<std::string(std::string_view file, std::string_view bytes, core::UnixTime time)>;

  /// Nobody: what is made stays unsigned.
  Signer() = default;
  /// Signs with `key`; the trusted comments tell `time` and the name of the file.
  Signer(std::shared_ptr<const SecretKey> key, core::UnixTime time);
  /// Signs by other means. `public_key` is the text of the .pub file that belongs to it.
  Signer(std::string public_key, Sign sign, core::UnixTime time = {});

  /// Whether there is somebody who signs.
  explicit operator bool() const { return static_cast<bool>(sign_); }
  /// The same key, whose signatures tell another time.
  Signer at(core::UnixTime time) const;

  /// Text of the .minisig for a file of that name and content; equal ones get equal texts. Nobody signs
  /// nothing: kInternal.
  std::string sign(std::string_view file, std::string_view bytes) const;
  /// Text of the .pub file; empty for nobody.
  const std::string& public_key() const { return public_key_; }
  /// Its line with the key, as `minisign -P` takes it.
  std::string public_key_line() const;

 private:
  std::string public_key_;
  Sign sign_;
  core::UnixTime time_{};
};

}  // namespace imgforge::signing
