#include "signing/formats/sigstore.hpp"

#include <algorithm>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/formats/dsse.hpp"
#include "signing/primitives/bytes.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using core::Reason;

constexpr std::string_view kMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::string_view kDigestAlgorithm = "SHA2_256";

Error malformed(const std::string& why) {
  return std::move(Error(Kind::kSignature, "malformed Sigstore bundle: " + why).reason(Reason::kMalformed));
}

std::vector<std::uint8_t> sha256(std::string_view message) {
  return core::digest_of(core::HashAlgorithm::kSha256, message).bytes();
}

Json frame(const P256Signer& key) {
  return {{"mediaType", kMediaType},
          {"verificationMaterial", {{"publicKey", {{"hint", key.public_key().hint()}}}}}};
}

void require_members(const Json& object, std::initializer_list<std::string_view> names) {
  if (!object.is_object()) throw malformed("an object is expected");
  for (const auto& [name, value] : object.items()) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw malformed("unknown member " + core::escaped(name, 60));
  }
  if (object.size() != names.size()) throw malformed("a member is missing");
}

std::vector<std::uint8_t> decoded(const Json& value) {
  try {
    return core::from_base64(value.get_ref<const std::string&>());
  } catch (const Error&) {
    throw malformed("not base64 in its one form");
  }
}

/// Runs `read` on the bundle whose key is trusted; `read` gets its content and the key.
template <class Read>
std::size_t open(std::string_view text, const char* content, std::span<const P256PublicKey> trusted,
                 Read&& read) {
  try {
    const Json json = core::parse_json(text, "bundle", {.bytes = kMaxEnvelope, .depth = 8});
    require_members(json, {"mediaType", "verificationMaterial", content});
    if (json.at("mediaType") != kMediaType) throw malformed("another media type");
    const Json& material = json.at("verificationMaterial");
    require_members(material, {"publicKey"});
    require_members(material.at("publicKey"), {"hint"});
    const std::string hint = material.at("publicKey").at("hint").get<std::string>();
    const auto key = std::find_if(trusted.begin(), trusted.end(),
                                  [&](const P256PublicKey& candidate) { return candidate.hint() == hint; });
    if (key == trusted.end())
      throw Error(Kind::kSignature, "no trusted Sigstore key made this bundle").reason(Reason::kUnknownKey);
    read(json.at(content), *key);
    return static_cast<std::size_t>(key - trusted.begin());
  } catch (const Json::exception& error) {
    throw malformed(core::escaped(error.what(), 160));
  } catch (const Error& error) {
    if (error.reason() != Reason::kNone) throw;
    throw malformed(error.message());
  }
}

void require_signature(const P256PublicKey& key, std::string_view message, const Json& signature) {
  if (key.verify(message, decoded(signature))) return;
  throw Error(Kind::kSignature, "bad signature of a Sigstore bundle: the file or the bundle was changed")
      .reason(Reason::kBadSignature);
}

}  // namespace

std::string sigstore_sign(const P256Signer& key, std::string_view message) {
  Json bundle = frame(key);
  bundle["messageSignature"] = {
      {"messageDigest", {{"algorithm", kDigestAlgorithm}, {"digest", core::to_base64(sha256(message))}}},
      {"signature", core::to_base64(key.sign(message))}};
  return bundle.dump() + "\n";
}

std::string sigstore_sign_dsse(const P256Signer& key, std::string_view payload_type,
                               std::string_view payload) {
  Json bundle = frame(key);
  const std::string signature = core::to_base64(key.sign(dsse_message(payload_type, payload)));
  bundle["dsseEnvelope"] = {{"payload", core::to_base64(bytes_of(payload))},
                            {"payloadType", payload_type},
                            {"signatures", Json::array({{{"sig", signature}}})}};
  return bundle.dump() + "\n";
}

std::size_t sigstore_verify(std::string_view bundle, std::string_view message,
                            std::span<const P256PublicKey> trusted) {
  return open(bundle, "messageSignature", trusted, [&](const Json& content, const P256PublicKey& key) {
    require_members(content, {"messageDigest", "signature"});
    require_members(content.at("messageDigest"), {"algorithm", "digest"});
    if (content.at("messageDigest").at("algorithm") != kDigestAlgorithm)
      throw malformed("another digest than SHA-256");
    if (decoded(content.at("messageDigest").at("digest")) != sha256(message))
      throw Error(Kind::kSignature, "the Sigstore bundle is of a file with another digest")
          .reason(Reason::kDigestMismatch);
    require_signature(key, message, content.at("signature"));
  });
}

std::size_t sigstore_verify_dsse(std::string_view bundle, std::string_view payload_type,
                                 std::string_view payload, std::span<const P256PublicKey> trusted) {
  return open(bundle, "dsseEnvelope", trusted, [&](const Json& content, const P256PublicKey& key) {
    require_members(content, {"payload", "payloadType", "signatures"});
    const std::vector<std::uint8_t> found = decoded(content.at("payload"));
    if (content.at("payloadType") != payload_type || !std::ranges::equal(found, bytes_of(payload)))
      throw Error(Kind::kSignature, "the Sigstore bundle holds another payload")
          .reason(Reason::kWrongSubject);
    if (!content.at("signatures").is_array() || content.at("signatures").size() != 1)
      throw malformed("one signature is expected");
    require_members(content.at("signatures").at(0), {"sig"});
    require_signature(key, dsse_message(payload_type, payload), content.at("signatures").at(0).at("sig"));
  });
}

}  // namespace imgforge::signing
