#include "signing/keys/ssh_wire.hpp"

#include <algorithm>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "signing/primitives/bytes.hpp"

namespace imgforge::signing {
namespace {

core::Error malformed(const std::string& why) {
  return std::move(core::Error(core::Kind::kSignature, why).reason(core::Reason::kMalformed));
}

/// What a line of that kind holds, which begins with the kind again.
std::string blob_of(std::string_view line, std::string_view kind) {
  constexpr std::size_t kMaxLine = 1024;
  const std::vector<std::string> words = core::split(core::trimmed(line.substr(0, kMaxLine)), ' ');
  if (line.size() > kMaxLine || words.size() < 2 || words[0] != kind)
    throw malformed("no such key of OpenSSH: a line that begins with " + std::string(kind) + " is expected");
  std::string blob;
  try {
    blob = text_of(core::from_base64(words[1]));
  } catch (const core::Error&) {
    throw malformed("no key of OpenSSH: not base64");
  }
  SshReader reader(blob);
  if (reader.field() != kind) throw malformed("the key is of another kind than it says");
  return blob;
}

}  // namespace

std::string ssh_number(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
  return out;
}

std::string ssh_field(std::string_view bytes) {
  return ssh_number(static_cast<std::uint32_t>(bytes.size())) + std::string(bytes);
}

std::string ssh_key_blob(const PublicKey& key) {
  const std::string_view point(reinterpret_cast<const char*>(key.point().data()), key.point().size());
  return ssh_field(kSshEd25519) + ssh_field(point);
}

std::string_view SshReader::take(std::size_t size) {
  if (rest_.size() < size) throw malformed("it ends too early");
  const std::string_view bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return bytes;
}

std::uint32_t SshReader::number() {
  std::uint32_t value = 0;
  for (const char c : take(4)) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

void SshReader::end() const {
  if (!rest_.empty()) throw malformed("bytes behind its end");
}

Ed25519Public parse_ssh_public_key(std::string_view line) {
  const std::string blob = blob_of(line, kSshEd25519);
  SshReader reader(blob);
  reader.field();
  const std::string_view point = reader.field();
  reader.end();
  Ed25519Public key{};
  if (point.size() != key.size()) throw malformed("a key of another length");
  std::copy(point.begin(), point.end(), key.begin());
  return key;
}

std::string ssh_p256_blob(std::string_view point) {
  return ssh_field(kSshP256) + ssh_field(kSshP256Curve) + ssh_field(point);
}

std::string parse_ssh_p256_key(std::string_view line) {
  const std::string blob = blob_of(line, kSshP256);
  SshReader reader(blob);
  reader.field();
  if (reader.field() != kSshP256Curve) throw malformed("the key is on another curve than it says");
  const std::string point(reader.field());
  reader.end();
  return point;
}

}  // namespace imgforge::signing
