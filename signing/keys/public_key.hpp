// Public keys in minisign's format: a comment line and one line of base64 over "Ed", an 8-byte key id and the
// 32-byte Ed25519 point. The base64 line alone is a key too, short enough for a command line or a recipe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "signing/primitives/ed25519.hpp"

namespace imgforge::signing {

using KeyId = std::array<std::uint8_t, 8>;

/// Upper-case hex of a key id as minisign prints it (a little-endian number).
std::string key_id_text(const KeyId& id);

class PublicKey {
 public:
  /// Parses the text of a .pub file or the bare line of 56 characters. Throws kSignature when it is malformed
  /// or when the point is one that nobody's signature belongs to (small order, not canonical).
  static PublicKey parse(std::string_view text);
  PublicKey(const KeyId& id, const Ed25519Public& point);

  std::string id() const { return key_id_text(id_); }
  const KeyId& raw_id() const { return id_; }
  const Ed25519Public& point() const { return point_; }
  /// The base64 line, as `minisign -P` and `--public-key` take it.
  std::string line() const;
  /// First characters of the line, for messages. Says nothing about trust.
  std::string abbreviated() const { return line().substr(0, 6) + "..."; }
  /// Text of a .pub file.
  std::string file_text() const;
  /// Comment of the file it was read from (empty: none). Anybody can write anything there.
  const std::string& untrusted_comment() const { return untrusted_comment_; }

  /// Equality of the 32 key bytes, which is what trust means. Key ids are hints.
  bool same_key(const PublicKey& other) const { return point_ == other.point_; }
  /// Equality of key bytes and key id.
  bool operator==(const PublicKey& other) const { return same_key(other) && id_ == other.id_; }

 private:
  KeyId id_;
  Ed25519Public point_;
  std::string untrusted_comment_;
};

}  // namespace imgforge::signing
