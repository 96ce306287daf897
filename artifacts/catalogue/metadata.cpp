#include "artifacts/catalogue/metadata.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "artifacts/manifest/version.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::catalogue {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using core::Reason;

[[noreturn]] void malformed(const std::string& what) {
  throw Error(Kind::kIntegrity, what).reason(Reason::kMalformed);
}

void write_canonical(const Json& value, std::string& out) {
  if (value.is_object()) {
    std::vector<std::pair<std::string_view, const Json*>> members;
    for (const auto& [name, member] : value.items()) members.emplace_back(name, &member);
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    out += '{';
    for (const auto& [name, member] : members) {
      if (out.back() != '{') out += ',';
      write_canonical(Json(name), out);
      out += ':';
      write_canonical(*member, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i != 0) out += ',';
      write_canonical(value[i], out);
    }
    out += ']';
  } else if (value.is_string()) {
    out += '"';
    for (const char c : value.get_ref<const std::string&>()) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  } else if (value.is_number_float()) {
    malformed("the metadata has a number that is not whole");
  } else {
    out += value.dump();
  }
}

/// The member of that name, which must be there.
const Json& member(const Json& object, const char* name) {
  if (!object.is_object()) malformed("the metadata has no object around \"" + std::string(name) + "\"");
  const auto found = object.find(name);
  if (found == object.end()) malformed("the metadata lacks \"" + std::string(name) + "\"");
  return *found;
}

const std::string& text_of(const Json& object, const char* name) {
  const Json& value = member(object, name);
  if (!value.is_string()) malformed("\"" + std::string(name) + "\" of the metadata is not a text");
  return value.get_ref<const std::string&>();
}

std::uint64_t number_of(const Json& object, const char* name) {
  const Json& value = member(object, name);
  if (!value.is_number_unsigned())
    malformed("\"" + std::string(name) + "\" of the metadata is not a whole number");
  return value.get<std::uint64_t>();
}

const Json& object_of(const Json& object, const char* name) {
  const Json& value = member(object, name);
  if (!value.is_object()) malformed("\"" + std::string(name) + "\" of the metadata is not an object");
  return value;
}

/// Bytes from lower-case hex, so that one value has one spelling.
std::vector<std::uint8_t> from_hex(std::string_view hex) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    malformed("the metadata has something else where hex digits belong");
  };
  if (hex.size() % 2 != 0 || hex.size() > 1024) malformed("the metadata has hex digits of impossible length");
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return bytes;
}

core::Digest digest_of(const Json& hashes, const char* name, core::HashAlgorithm algorithm) {
  const std::string& hex = text_of(hashes, name);
  if (from_hex(hex).size() != core::hash_size(algorithm))
    malformed("a digest of the metadata is too short or long");
  return core::Digest::from_hex(algorithm, hex);
}

/// Times are compared as text, so the text must have exactly this form.
bool is_time(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:ddZ";
  return std::equal(text.begin(), text.end(), kForm.begin(), kForm.end(),
                    [](char c, char form) { return form == 'd' ? c >= '0' && c <= '9' : c == form; });
}

bool is_plain_path(std::string_view path) {
  for (const std::string& part : core::split(path, '/'))
    if (part.empty() || part == "." || part == ".." || part.find('\\') != std::string::npos) return false;
  return !path.empty();
}

signing::Ed25519Public key_of(const std::string& id, const Json& object) {
  if (core::digest_of(core::HashAlgorithm::kSha256, canonical_json(object)).hex() != id)
    malformed("the root names a key by an id that is not the key's own");
  if (text_of(object, "keytype") != "ed25519" || text_of(object, "scheme") != "ed25519")
    malformed("the root has a key that is not ed25519");
  const std::vector<std::uint8_t> bytes = from_hex(text_of(object_of(object, "keyval"), "public"));
  signing::Ed25519Public key{};
  if (bytes.size() != key.size()) malformed("the root has a key of another length than 32 bytes");
  std::copy(bytes.begin(), bytes.end(), key.begin());
  if (!signing::ed25519_acceptable(key)) malformed("the root has a key to which every signature fits");
  return key;
}

}  // namespace

std::string canonical_json(const Json& value) {
  std::string out;
  write_canonical(value, out);
  return out;
}

Document parse_document(std::string_view text, std::string_view type, std::size_t limit) {
  Json json;
  try {
    json = core::parse_json(text, std::string(type) + ".json", {.bytes = limit, .depth = 10});
  } catch (Error& error) {
    throw error.reason(Reason::kMalformed);
  }
  Document document;
  document.body = object_of(json, "signed");
  document.type = text_of(document.body, "_type");
  if (document.type != type)
    throw Error(Kind::kIntegrity, fmt::format("the metadata is of the type {} where {} was expected",
                                              core::escaped(document.type, 40), type))
        .reason(Reason::kWrongSubject);
  if (!text_of(document.body, "spec_version").starts_with("1."))
    malformed(document.type + ".json is of another specification than 1.x");
  document.version = number_of(document.body, "version");
  if (document.version == 0 || document.version > (std::uint64_t{1} << 53))
    malformed(document.type + ".json has an impossible version");
  document.expires = text_of(document.body, "expires");
  if (!is_time(document.expires))
    malformed(document.type + ".json expires at no time of the form YYYY-MM-DDThh:mm:ssZ");
  const Json& signatures = member(json, "signatures");
  if (!signatures.is_array() || signatures.size() > 64)
    malformed(document.type + ".json has no list of signatures");
  std::set<std::string> ids;
  for (const Json& row : signatures) {
    RoleSignature signature{text_of(row, "keyid"), from_hex(text_of(row, "sig"))};
    if (!ids.insert(signature.key_id).second)
      malformed(document.type + ".json is signed by one key id twice");
    document.signatures.push_back(std::move(signature));
  }
  document.signed_bytes = canonical_json(document.body);
  return document;
}

void require_unexpired(const Document& document, core::UnixTime now) {
  if (document.expires > core::iso_time(now)) return;
  throw Error(Kind::kIntegrity,
              fmt::format("{}.json {} expired at {}", document.type, document.version, document.expires))
      .hint("its publisher has to run imgforge catalogue update; check the clock of this machine")
      .reason(Reason::kExpired);
}

void Role::require(const Document& document) const {
  std::set<signing::Ed25519Public> good;
  bool known = false;
  bool bad = false;
  for (const RoleSignature& signature : document.signatures) {
    const auto key = keys.find(signature.key_id);
    if (key == keys.end()) continue;
    known = true;
    signing::Ed25519Signature bytes{};
    const std::string_view text = document.signed_bytes;
    const std::span message(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    const bool whole = signature.bytes.size() == bytes.size();
    if (whole) std::copy(signature.bytes.begin(), signature.bytes.end(), bytes.begin());
    if (whole && signing::ed25519_verify(key->second, message, bytes))
      good.insert(key->second);
    else
      bad = true;
  }
  if (good.size() >= threshold) return;
  const Reason reason = !known ? Reason::kUnknownKey : bad ? Reason::kBadSignature : Reason::kBelowThreshold;
  throw Error(Kind::kSignature,
              fmt::format("{}.json {} has good signatures of {} of the {} keys that it needs", document.type,
                          document.version, good.size(), threshold))
      .hint("do not use this catalogue; ask its publisher")
      .reason(reason);
}

Root Root::parse(std::string_view text) {
  Root root{parse_document(text, "root", kMaxRoot), {}};
  const Json& body = root.document.body;
  const Json& keys = object_of(body, "keys");
  const Json& roles = object_of(body, "roles");
  if (keys.size() > 64) malformed("the root has more than 64 keys");
  for (const char* name : {"root", "timestamp", "snapshot", "targets"}) {
    const Json& entry = object_of(roles, name);
    Role role;
    role.threshold = number_of(entry, "threshold");
    std::set<signing::Ed25519Public> distinct;
    const Json& ids = member(entry, "keyids");
    if (!ids.is_array()) malformed("the root has a role without list of keys");
    for (const Json& id : ids) {
      if (!id.is_string()) malformed("the root has a key id that is not a text");
      const std::string name_of_key = id.get<std::string>();
      const auto key = key_of(name_of_key, object_of(keys, name_of_key.c_str()));
      if (!role.keys.emplace(name_of_key, key).second) malformed("the root names a key twice for one role");
      distinct.insert(key);
    }
    if (role.threshold == 0 || role.threshold > distinct.size())
      malformed(fmt::format("the root asks for {} of {} keys for {}", role.threshold, distinct.size(), name));
    root.roles.emplace(name, std::move(role));
  }
  return root;
}

void FileMeta::check(std::string_view name, std::string_view text) const {
  if (length != 0 && text.size() != length)
    throw Error(Kind::kIntegrity,
                fmt::format("{} has {} bytes where {} were promised", name, text.size(), length))
        .reason(Reason::kSizeMismatch);
  if (!sha256.empty() && core::digest_of(core::HashAlgorithm::kSha256, text) != sha256)
    throw Error(Kind::kIntegrity, fmt::format("{} has other bytes than were promised", name))
        .hint("the catalogue may have changed meanwhile: try again")
        .reason(Reason::kDigestMismatch);
}

std::map<std::string, FileMeta> file_metas(const Document& document) {
  std::map<std::string, FileMeta> metas;
  for (const auto& [name, entry] : object_of(document.body, "meta").items()) {
    FileMeta meta;
    meta.version = number_of(entry, "version");
    if (meta.version == 0) malformed("the metadata names version 0 of a file");
    if (entry.contains("length")) meta.length = number_of(entry, "length");
    if (entry.contains("hashes"))
      meta.sha256 = digest_of(object_of(entry, "hashes"), "sha256", core::HashAlgorithm::kSha256);
    metas.emplace(name, std::move(meta));
  }
  return metas;
}

std::map<std::string, Target> targets_of(const Document& document) {
  std::map<std::string, Target> targets;
  for (const auto& [path, entry] : object_of(document.body, "targets").items()) {
    if (!is_plain_path(path)) malformed("the catalogue has the impossible path " + core::escaped(path, 120));
    Target target;
    target.length = number_of(entry, "length");
    const Json& hashes = object_of(entry, "hashes");
    target.sha256 = digest_of(hashes, "sha256", core::HashAlgorithm::kSha256);
    target.sha512 = digest_of(hashes, "sha512", core::HashAlgorithm::kSha512);
    const Json& custom = object_of(entry, "custom");
    target.line = text_of(custom, "line");
    target.version = text_of(custom, "version");
    target.state = text_of(custom, "state");
    if (custom.contains("yanked")) target.yanked = text_of(custom, "yanked");
    if (!artifacts::is_file_name(target.line) || !artifacts::is_file_name(target.version) ||
        path != "releases/" + target.line + "/" + target.version + "/manifest.json")
      malformed("the catalogue has a release under another name: " + core::escaped(path, 120));
    targets.emplace(path, std::move(target));
  }
  return targets;
}

Json key_object(const signing::Ed25519Public& key) {
  return {{"keytype", "ed25519"}, {"keyval", {{"public", core::to_hex(key)}}}, {"scheme", "ed25519"}};
}

std::string key_id(const signing::Ed25519Public& key) {
  return core::digest_of(core::HashAlgorithm::kSha256, canonical_json(key_object(key))).hex();
}

}  // namespace imgforge::catalogue
