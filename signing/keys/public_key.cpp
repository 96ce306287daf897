#include "signing/keys/public_key.hpp"

#include <algorithm>
#include <vector>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "signing/keys/key_text.hpp"

namespace imgforge::signing {

using core::Error;
using core::Kind;

namespace {

constexpr std::size_t kLineLength = 56;
constexpr std::size_t kRawLength = 42;

std::vector<std::uint8_t> decode_line(std::string_view line) {
  if (line.size() != kLineLength) {
    throw Error(Kind::kSignature, "malformed public key: its line of base64 has " +
                                      std::to_string(line.size()) + " characters instead of 56");
  }
  std::vector<std::uint8_t> raw;
  try {
    raw = core::from_base64(line);
  } catch (const Error&) {
    throw Error(Kind::kSignature, "malformed public key: not base64");
  }
  if (raw.size() != kRawLength || raw[0] != 'E' || raw[1] != 'd') {
    throw Error(Kind::kSignature, "malformed public key: not an Ed25519 key of minisign")
        .hint("such a key begins with \"RW\"");
  }
  return raw;
}

}  // namespace

std::string key_id_text(const KeyId& id) {
  KeyId reversed = id;
  std::reverse(reversed.begin(), reversed.end());
  std::string text = core::to_hex(reversed);
  for (char& c : text) {
    if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

PublicKey PublicKey::parse(std::string_view text) {
  std::string_view line = text;
  std::string_view comment;
  if (text.starts_with(kUntrustedPrefix) || text.find('\n') < text.size() - 1) {
    const KeyText parts = split_key_text(text, "public key");
    line = parts.base64;
    comment = parts.comment;
  } else if (line.ends_with('\n')) {
    line.remove_suffix(1);
  }
  const std::vector<std::uint8_t> raw = decode_line(line);
  KeyId id{};
  Ed25519Public point{};
  std::copy_n(raw.begin() + 2, id.size(), id.begin());
  std::copy_n(raw.begin() + 10, point.size(), point.begin());
  PublicKey key(id, point);
  key.untrusted_comment_ = std::string(comment);
  return key;
}

PublicKey::PublicKey(const KeyId& id, const Ed25519Public& point) : id_(id), point_(point) {
  if (!ed25519_acceptable(point)) {
    throw Error(Kind::kSignature,
                "weak public key " + key_id_text(id) + ": anybody can forge its signatures");
  }
}

std::string PublicKey::line() const {
  std::vector<std::uint8_t> raw = {'E', 'd'};
  raw.insert(raw.end(), id_.begin(), id_.end());
  raw.insert(raw.end(), point_.begin(), point_.end());
  return core::to_base64(raw);
}

std::string PublicKey::file_text() const {
  return std::string(kUntrustedPrefix) + "minisign public key " + id() + "\n" + line() + "\n";
}

}  // namespace imgforge::signing
