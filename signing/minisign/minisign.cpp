#include "signing/minisign/minisign.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "signing/keys/key_text.hpp"

namespace imgforge::signing {

using core::Error;
using core::Kind;

namespace {

constexpr std::string_view kTrustedPrefix = "trusted comment: ";
constexpr std::string_view kUntrustedText = "signature from imgforge";
constexpr std::size_t kSignatureLength = 74;

Error malformed(std::string_view why) {
  return Error(Kind::kSignature, "malformed signature: " + std::string(why)).reason(core::Reason::kMalformed);
}

std::vector<std::uint8_t> decode(std::string_view line, std::size_t size) {
  std::vector<std::uint8_t> raw;
  try {
    raw = core::from_base64(line);
  } catch (const Error&) {
    throw malformed("not base64");
  }
  if (raw.size() != size) throw malformed("wrong length of its base64");
  return raw;
}

std::array<std::string_view, 4> four_lines(std::string_view text) {
  if (text.empty()) throw malformed("it is empty");
  if (text.size() > kMaxSignatureText) throw malformed("it is too long");
  if (text.find('\0') != std::string_view::npos) throw malformed("it is binary");
  if (text.find('\r') != std::string_view::npos) throw malformed("it has Windows line ends");
  std::array<std::string_view, 4> lines;
  for (std::string_view& line : lines) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) throw malformed("it has fewer than four lines");
    line = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  if (!text.empty()) throw malformed("there is something after its fourth line");
  return lines;
}

/// The bytes under the second signature: the first one, then the comment without its prefix.
std::vector<std::uint8_t> comment_message(const Signature& signature) {
  std::vector<std::uint8_t> bytes(signature.over_message.begin(), signature.over_message.end());
  bytes.insert(bytes.end(), signature.trusted_comment.begin(), signature.trusted_comment.end());
  return bytes;
}

bool fits(const Signature& signature, const PublicKey& key, const core::Digest& digest) {
  return ed25519_verify(key.point(), digest.bytes(), signature.over_message) &&
         ed25519_verify(key.point(), comment_message(signature), signature.over_comment);
}

void require_blake2b(const core::Digest& digest) {
  // SHA-512 is as long: nothing but this check would notice the mistake.
  if (digest.algorithm() != core::HashAlgorithm::kBlake2b512 || digest.empty()) {
    throw Error(Kind::kInternal, "minisign signatures are over BLAKE2b-512");
  }
}

}  // namespace

Signature Signature::parse(std::string_view text) {
  const auto lines = four_lines(text);
  if (!lines[0].starts_with(kUntrustedPrefix)) throw malformed("its first line is not an untrusted comment");
  if (lines[0].size() > kMaxUntrustedLine) throw malformed("its untrusted comment is too long");
  if (!lines[2].starts_with(kTrustedPrefix)) throw malformed("its third line is not a trusted comment");
  Signature signature;
  signature.trusted_comment = std::string(lines[2].substr(kTrustedPrefix.size()));
  if (signature.trusted_comment.size() > kMaxTrustedComment)
    throw malformed("its trusted comment is too long");
  const auto raw = decode(lines[1], kSignatureLength);
  if (raw[0] == 'E' && raw[1] == 'd') {
    throw Error(Kind::kSignature, "the signature is of minisign's legacy kind, which is not accepted")
        .reason(core::Reason::kMalformed)
        .hint("sign again with `minisign -S` without -l");
  }
  if (raw[0] != 'E' || raw[1] != 'D') throw malformed("unknown algorithm");
  std::copy_n(raw.begin() + 2, signature.key_id.size(), signature.key_id.begin());
  std::copy_n(raw.begin() + 10, signature.over_message.size(), signature.over_message.begin());
  const auto second = decode(lines[3], signature.over_comment.size());
  std::copy_n(second.begin(), signature.over_comment.size(), signature.over_comment.begin());
  return signature;
}

std::string Signature::text() const {
  std::vector<std::uint8_t> raw = {'E', 'D'};
  raw.insert(raw.end(), key_id.begin(), key_id.end());
  raw.insert(raw.end(), over_message.begin(), over_message.end());
  std::string out = std::string(kUntrustedPrefix) + std::string(kUntrustedText) + "\n";
  out += core::to_base64(raw) + "\n";
  out += std::string(kTrustedPrefix) + trusted_comment + "\n";
  return out + core::to_base64(over_comment) + "\n";
}

std::string usual_trusted_comment(core::UnixTime time, std::string_view file_name) {
  return "timestamp:" + std::to_string(time.time_since_epoch().count()) + "\tfile:" + std::string(file_name) +
         "\thashed";
}

std::string sign(const RawSigner& key, const core::Digest& blake2b512, std::string_view trusted_comment) {
  require_blake2b(blake2b512);
  const auto control = [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  };
  if (trusted_comment.size() > kMaxTrustedComment || !core::is_utf8(trusted_comment) ||
      std::any_of(trusted_comment.begin(), trusted_comment.end(), control)) {
    throw Error(Kind::kUsage, "a trusted comment is one line of UTF-8 text of at most " +
                                  std::to_string(kMaxTrustedComment) + " bytes");
  }
  Signature signature;
  signature.key_id = key.public_key().raw_id();
  signature.over_message = key.sign_raw(blake2b512.bytes());
  signature.trusted_comment = std::string(trusted_comment);
  signature.over_comment = key.sign_raw(comment_message(signature));
  // What is about to be published is checked as a reader will check it: a fault here (memory, library) must
  // not leave the machine, and a wrong Ed25519 signature can give the key away.
  std::string text = signature.text();
  if (!fits(Signature::parse(text), key.public_key(), blake2b512)) {
    throw Error(Kind::kSignature,
                "a signature that was just made does not verify with key " + key.public_key().id())
        .reason(core::Reason::kBadSignature);
  }
  return text;
}

std::string sign(const RawSigner& key, std::string_view message, std::string_view trusted_comment) {
  return sign(key, core::digest_of(core::HashAlgorithm::kBlake2b512, message), trusted_comment);
}

VerifiedSignature verify(std::span<const PublicKey> trusted, const core::Digest& blake2b512,
                         std::string_view minisig) {
  require_blake2b(blake2b512);
  if (trusted.empty()) {
    throw Error(Kind::kSignature, "no public key is trusted, so no signature can be")
        .reason(core::Reason::kUnknownKey)
        .hint("trust a key with `imgforge key trust FILE` or give one with --public-key");
  }
  Signature signature = Signature::parse(minisig);
  bool known = false;
  for (const PublicKey& key : trusted) {
    if (key.raw_id() != signature.key_id) continue;
    known = true;
    if (fits(signature, key, blake2b512)) return {key, std::move(signature.trusted_comment)};
  }
  const std::string id = key_id_text(signature.key_id);
  if (!known) {
    throw Error(Kind::kSignature, "no signature by a trusted key: it names key " + id)
        .reason(core::Reason::kUnknownKey)
        .hint("if you know that key, trust it with `imgforge key trust FILE` or --public-key");
  }
  throw Error(Kind::kSignature, "bad signature by key " + id +
                                    ": the file or the signature was changed, or another "
                                    "key has the same id")
      .reason(core::Reason::kBadSignature);
}

VerifiedSignature verify(std::span<const PublicKey> trusted, std::string_view message,
                         std::string_view minisig) {
  return verify(trusted, core::digest_of(core::HashAlgorithm::kBlake2b512, message), minisig);
}

std::string read_signature_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    throw Error(Kind::kSignature, "there is no signature " + core::escaped(path.native()))
        .reason(core::Reason::kUnsigned);
  }
  if (!error && status.type() != std::filesystem::file_type::regular) {
    throw Error(Kind::kSignature, core::escaped(path.native()) + " is not a regular file");
  }
  try {
    return core::read_text_file(path, kMaxSignatureText);
  } catch (const Error& fault) {
    if (fault.kind() != Kind::kUnsafe) throw;
    throw malformed(core::escaped(path.native()) + " is too long");
  }
}

}  // namespace imgforge::signing
