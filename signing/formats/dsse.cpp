#include "signing/formats/dsse.hpp"

#include <algorithm>
#include <array>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/keys/distinct_keys.hpp"
#include "signing/primitives/bytes.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using core::Reason;

constexpr std::size_t kMaxSignatures = 32;

Error malformed(const std::string& why) {
  return std::move(Error(Kind::kSignature, "malformed envelope: " + why).reason(Reason::kMalformed));
}

std::vector<std::uint8_t> decode(const Json& object, const char* name) {
  try {
    return core::from_base64(object.at(name).get_ref<const std::string&>());
  } catch (const Error&) {
    throw malformed(std::string(name) + " is not base64 in its one form");
  }
}

void require_members(const Json& object, std::initializer_list<std::string_view> names) {
  if (!object.is_object()) throw malformed("an object is expected");
  for (const auto& [name, value] : object.items()) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw malformed("unknown member " + core::escaped(name, 60));
  }
}

bool fits(const DsseSignature& signature, const PublicKey& key, std::string_view message) {
  if (signature.signature.size() != std::tuple_size_v<Ed25519Signature>) return false;
  Ed25519Signature raw{};
  std::copy(signature.signature.begin(), signature.signature.end(), raw.begin());
  return ed25519_verify(key.point(), bytes_of(message), raw);
}

}  // namespace

DsseEnvelope DsseEnvelope::parse(std::string_view text) {
  try {
    const Json json = core::parse_json(text, "envelope", {.bytes = kMaxEnvelope, .depth = 8});
    require_members(json, {"payload", "payloadType", "signatures"});
    DsseEnvelope envelope;
    envelope.payload_type = json.at("payloadType").get<std::string>();
    const std::vector<std::uint8_t> payload = decode(json, "payload");
    envelope.payload.assign(payload.begin(), payload.end());
    const Json& rows = json.at("signatures");
    if (!rows.is_array() || rows.empty() || rows.size() > kMaxSignatures)
      throw malformed("1 to 32 signatures are expected");
    for (const Json& row : rows) {
      require_members(row, {"keyid", "sig"});
      envelope.signatures.push_back({row.value("keyid", std::string()), decode(row, "sig")});
    }
    return envelope;
  } catch (const Json::exception& error) {
    throw malformed(core::escaped(error.what(), 160));
  } catch (const Error& error) {
    if (error.reason() == Reason::kMalformed) throw;
    throw malformed(error.message());
  }
}

std::string DsseEnvelope::text() const {
  Json rows = Json::array();
  for (const DsseSignature& row : signatures)
    rows.push_back({{"keyid", row.key_id}, {"sig", core::to_base64(row.signature)}});
  return Json{{"payload", core::to_base64(bytes_of(payload))},
              {"payloadType", payload_type},
              {"signatures", rows}}
             .dump() +
         "\n";
}

std::string dsse_message(std::string_view payload_type, std::string_view payload) {
  std::string message = "DSSEv1 " + std::to_string(payload_type.size()) + " ";
  message += payload_type;
  message += " " + std::to_string(payload.size()) + " ";
  message += payload;
  return message;
}

DsseEnvelope dsse_sign(const Signer& signer, std::string payload_type, std::string payload) {
  const Ed25519Signature signature = signer.sign_raw(bytes_of(dsse_message(payload_type, payload)));
  return {std::move(payload_type),
          std::move(payload),
          {{signer.key().id(), std::vector<std::uint8_t>(signature.begin(), signature.end())}}};
}

std::vector<PublicKey> dsse_verify(const DsseEnvelope& envelope, std::string_view payload_type,
                                   std::span<const PublicKey> trusted) {
  if (envelope.payload_type != payload_type)
    throw Error(Kind::kSignature, "the envelope holds " + core::escaped(envelope.payload_type, 120) +
                                      ", expected " + std::string(payload_type))
        .reason(Reason::kWrongSubject);
  const std::string message = dsse_message(envelope.payload_type, envelope.payload);
  std::vector<PublicKey> good;
  for (const DsseSignature& row : envelope.signatures) {
    const auto signer = std::find_if(trusted.begin(), trusted.end(),
                                     [&](const PublicKey& key) { return fits(row, key, message); });
    if (signer != trusted.end()) {
      add_distinct(good, *signer);
    } else if (std::any_of(trusted.begin(), trusted.end(),
                           [&](const PublicKey& key) { return key.id() == row.key_id; })) {
      throw Error(Kind::kSignature, "bad signature by key " + row.key_id +
                                        ": the envelope was changed, or another key "
                                        "has the same id")
          .reason(Reason::kBadSignature);
    }
  }
  if (good.empty())
    throw Error(Kind::kSignature, "no signature by a trusted key").reason(Reason::kUnknownKey);
  return good;
}

}  // namespace imgforge::signing
