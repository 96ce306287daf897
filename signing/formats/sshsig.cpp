#include "signing/formats/sshsig.hpp"

#include <algorithm>
#include <optional>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "signing/keys/ssh_wire.hpp"
#include "signing/primitives/bytes.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Kind;
using core::Reason;

constexpr std::string_view kMagic = "SSHSIG";
constexpr std::string_view kHash = "sha512";
constexpr std::string_view kBegin = "-----BEGIN SSH SIGNATURE-----\n";
constexpr std::string_view kEnd = "-----END SSH SIGNATURE-----\n";
constexpr std::size_t kLine = 70;
constexpr std::size_t kMaxText = 4096;
constexpr std::uint32_t kVersion = 1;

Error malformed(const std::string& why) {
  return std::move(Error(Kind::kSignature, "malformed SSH signature: " + why).reason(Reason::kMalformed));
}

std::string signed_bytes(std::string_view message) {
  const core::Digest digest = core::digest_of(core::HashAlgorithm::kSha512, message);
  return std::string(kMagic) + ssh_field(kSshNamespace) + ssh_field("") + ssh_field(kHash) +
         ssh_field(text_of(digest.bytes()));
}

std::string armoured(std::string_view blob) {
  const std::string base64 = core::to_base64(bytes_of(blob));
  std::string text(kBegin);
  for (std::size_t at = 0; at < base64.size(); at += kLine) text += base64.substr(at, kLine) + "\n";
  return text + std::string(kEnd);
}

/// The bytes inside, from the one form that `armoured` gives or with lines of another length, as others write
/// them.
std::string unarmoured(std::string_view text) {
  if (text.size() > kMaxText || !text.starts_with(kBegin) || !text.ends_with(kEnd) ||
      text.size() < kBegin.size() + kEnd.size())
    throw malformed("it does not begin or end as one");
  text.remove_prefix(kBegin.size());
  text.remove_suffix(kEnd.size());
  std::string base64;
  for (const std::string& line : core::split(text, '\n')) base64 += line;
  try {
    const std::vector<std::uint8_t> bytes = core::from_base64(base64);
    return std::string(text_of(bytes));
  } catch (const Error&) {
    throw malformed("not base64");
  }
}

struct Parts {
  Ed25519Public key{};
  std::string name_space;
  Ed25519Signature signature{};
};

template <std::size_t N>
std::array<std::uint8_t, N> exactly(std::string_view bytes, const char* what) {
  if (bytes.size() != N) throw malformed(std::string(what) + " has another length");
  std::array<std::uint8_t, N> out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

Parts parse(std::string_view text) {
  const std::string blob = unarmoured(text);
  SshReader reader(blob);
  if (reader.take(kMagic.size()) != kMagic) throw malformed("no SSHSIG");
  if (reader.number() != kVersion) throw malformed("another version than 1");
  Parts parts;
  SshReader key(reader.field());
  if (key.field() != kSshEd25519) throw malformed("no Ed25519 key");
  parts.key = exactly<std::tuple_size_v<Ed25519Public>>(key.field(), "the key");
  key.end();
  parts.name_space = reader.field();
  if (!reader.field().empty()) throw malformed("reserved bytes");
  if (reader.field() != kHash) throw malformed("another hash than SHA-512");
  SshReader signature(reader.field());
  if (signature.field() != kSshEd25519) throw malformed("no Ed25519 signature");
  parts.signature = exactly<std::tuple_size_v<Ed25519Signature>>(signature.field(), "the signature");
  signature.end();
  reader.end();
  return parts;
}

}  // namespace

std::string ssh_sign(const Signer& signer, std::string_view message) {
  const Ed25519Signature signature = signer.sign_raw(bytes_of(signed_bytes(message)));
  return armoured(std::string(kMagic) + ssh_number(kVersion) + ssh_field(ssh_key_blob(signer.key())) +
                  ssh_field(kSshNamespace) + ssh_field("") + ssh_field(kHash) +
                  ssh_field(ssh_field(kSshEd25519) + ssh_field(text_of(signature))));
}

PublicKey ssh_verify(std::string_view text, std::string_view message, std::span<const PublicKey> trusted) {
  const Parts parts = parse(text);
  if (parts.name_space != kSshNamespace)
    throw Error(Kind::kSignature,
                "the SSH signature is for the namespace " + core::escaped(parts.name_space, 60))
        .reason(Reason::kWrongSubject);
  const auto key = std::find_if(trusted.begin(), trusted.end(),
                                [&](const PublicKey& k) { return k.point() == parts.key; });
  if (key == trusted.end())
    throw Error(Kind::kSignature, "no signature by a trusted key").reason(Reason::kUnknownKey);
  if (!ed25519_verify(key->point(), bytes_of(signed_bytes(message)), parts.signature))
    throw Error(Kind::kSignature,
                "bad signature by key " + key->id() + ": the file or the signature was changed")
        .reason(Reason::kBadSignature);
  return *key;
}

std::string allowed_signers_line(std::string_view name, const PublicKey& key) {
  return std::string(name) + " namespaces=\"" + std::string(kSshNamespace) + "\" " +
         std::string(kSshEd25519) + " " + core::to_base64(bytes_of(ssh_key_blob(key))) + "\n";
}

}  // namespace imgforge::signing
