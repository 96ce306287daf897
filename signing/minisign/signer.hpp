// Who signs what is published: one value for releases, lists of models, vendored folders and exported trees.
// It hands out texts of .minisig files and never the key, and it may be nobody.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "signing/keys/secret_key.hpp"

namespace imgforge::signing {

class Signer {
 public:
  /// Text of the .minisig for a file of that name and content, signed at `time`.
  using Sign = std::function<std::string(std::string_view file, std::string_view bytes, core::UnixTime time)>;

  /// A signature in a further format: name of its file, which lies beside the signed one, and its text.
  struct Further {
    std::string file;
    std::string text;
  };
  using SignFurther = std::function<std::vector<Further>(std::string_view file, std::string_view bytes)>;
  using SignRaw = std::function<Ed25519Signature(std::span<const std::uint8_t> message)>;

  /// Nobody: what is made stays unsigned.
  Signer() = default;
  /// Signs with `key`; the trusted comments tell `time` and the name of the file.
  Signer(std::shared_ptr<const RawSigner> key, core::UnixTime time);
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
  /// Plain Ed25519 by the same key over a message that says itself what it is for (DSSE, SSHSIG). Verified
  /// before it is returned. Nobody, and who signs by other means than a key, signs nothing: kInternal.
  Ed25519Signature sign_raw(std::span<const std::uint8_t> message) const;
  /// Has `sign_further` called too for what a release publishes.
  void add_further(SignFurther sign_further) { further_.push_back(std::move(sign_further)); }
  /// The signatures in further formats over a file of that name and content; none for most files.
  std::vector<Further> further(std::string_view file, std::string_view bytes) const;
  /// The key itself; not for nobody.
  PublicKey key() const { return PublicKey::parse(public_key_line()); }
  /// Its line with the key, as `minisign -P` takes it.
  std::string public_key_line() const;

 private:
  std::string public_key_;
  Sign sign_;
  SignRaw sign_raw_;
  std::vector<SignFurther> further_;
  core::UnixTime time_{};
};

}  // namespace imgforge::signing
