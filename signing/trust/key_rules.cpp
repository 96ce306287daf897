#include "signing/trust/key_rules.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/iso_time.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::signing {

using core::Error;
using core::Json;
using core::Kind;
using core::Reason;

namespace {

constexpr std::size_t kMaxRulesText = 1 << 20;
constexpr std::size_t kMaxReason = 400;

Error malformed(std::string_view what) {
  return Error(Kind::kSignature, "malformed rules of trusted keys: " + std::string(what))
      .reason(Reason::kMalformed)
      .hint("mend trust.json, or put back a copy; what cannot be read trusts nobody");
}

void require_members(const Json& object, std::initializer_list<std::string_view> known,
                     std::string_view where) {
  if (!object.is_object()) throw malformed(std::string(where) + " is no object");
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw malformed("unknown member \"" + core::escaped(name) + "\" in " + std::string(where));
    }
  }
}

const std::string& text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) throw malformed(std::string(name) + " has to be a text");
  return found->get_ref<const std::string&>();
}

core::UnixTime time_of(const Json& object, const char* name) {
  const auto time = core::parse_iso_time(text_of(object, name));
  if (!time) throw malformed(std::string(name) + " has to be a time such as 2026-11-20T01:02:03Z");
  return *time;
}

std::optional<core::UnixTime> optional_time(const Json& object, const char* name) {
  if (!object.contains(name)) return std::nullopt;
  return time_of(object, name);
}

bool is_reason(std::string_view text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return !text.empty() && text.size() <= kMaxReason && core::is_utf8(text) &&
         std::none_of(text.begin(), text.end(), control);
}

KeyRule parse_rule(const Json& object) {
  require_members(object, {"public_key", "valid_from", "valid_until", "revoked"}, "a key");
  KeyRule rule{PublicKey::parse(text_of(object, "public_key")), optional_time(object, "valid_from"),
               optional_time(object, "valid_until"), std::nullopt};
  if (rule.valid_from && rule.valid_until && *rule.valid_until <= *rule.valid_from) {
    throw malformed("valid_until is not after valid_from");
  }
  if (object.contains("revoked")) {
    const Json& revoked = object.at("revoked");
    require_members(revoked, {"at", "reason"}, "revoked");
    rule.revoked = Revocation{time_of(revoked, "at"), text_of(revoked, "reason")};
    if (!is_reason(rule.revoked->reason)) throw malformed("the reason of a revocation is one line of text");
  }
  return rule;
}

}  // namespace

void KeyRule::require(core::UnixTime now, std::string_view name) const {
  const std::string who = "the key " + std::string(name);
  if (revoked) {
    throw Error(Kind::kSignature, who + " was revoked, as of " + core::iso_time(revoked->at) + ": " +
                                      core::escaped(revoked->reason))
        .reason(Reason::kRevokedKey)
        .hint("get a release that another key signed");
  }
  if (valid_from && now < *valid_from) {
    throw Error(Kind::kSignature, who + " counts only from " + core::iso_time(*valid_from))
        .reason(Reason::kNotYetValid)
        .hint("look at this machine's clock, which says " + core::iso_time(now));
  }
  if (valid_until && now >= *valid_until) {
    throw Error(Kind::kSignature, who + " counted until " + core::iso_time(*valid_until))
        .reason(Reason::kExpired)
        .hint("get a release that another key signed; this machine's clock says " + core::iso_time(now));
  }
}

std::vector<KeyRule> parse_key_rules(std::string_view text) {
  Json json;
  try {
    json = core::parse_json(text, kKeyRulesFile);
  } catch (const Error& error) {
    throw malformed(error.message());
  }
  require_members(json, {"schema", "keys"}, "the file");
  const auto schema = json.find("schema");
  if (schema == json.end() || !schema->is_number_integer() || *schema != 1)
    throw malformed("schema is not 1");
  const auto keys = json.find("keys");
  if (keys == json.end() || !keys->is_array()) throw malformed("keys has to be a list");
  std::vector<KeyRule> rules;
  for (const Json& row : *keys) {
    KeyRule rule = parse_rule(row);
    for (const KeyRule& other : rules) {
      if (other.key.same_key(rule.key))
        throw malformed("the key " + rule.key.abbreviated() + " is named twice");
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::string print_key_rules(const std::vector<KeyRule>& rules) {
  Json keys = Json::array();
  for (const KeyRule& rule : rules) {
    Json row{{"public_key", rule.key.line()}};
    if (rule.valid_from) row["valid_from"] = core::iso_time(*rule.valid_from);
    if (rule.valid_until) row["valid_until"] = core::iso_time(*rule.valid_until);
    if (rule.revoked) {
      row["revoked"] = {{"at", core::iso_time(rule.revoked->at)}, {"reason", rule.revoked->reason}};
    }
    keys.push_back(std::move(row));
  }
  return core::print_json({{"schema", 1}, {"keys", std::move(keys)}});
}

std::vector<KeyRule> load_key_rules(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kKeyRulesFile;
  std::error_code error;
  // A link that leads nowhere is a file that cannot be read, not one that is absent.
  if (std::filesystem::symlink_status(file, error).type() == std::filesystem::file_type::not_found) return {};
  refuse_world_writable(file);
  return core::while_doing("reading " + core::escaped(file.native()),
                           [&] { return parse_key_rules(core::read_text_file(file, kMaxRulesText)); });
}

void revoke_key(const std::filesystem::path& folder, const PublicKey& key, const Revocation& revocation) {
  if (!is_reason(revocation.reason)) {
    throw Error(Kind::kUsage, "the reason of a revocation is one line of text of at most " +
                                  std::to_string(kMaxReason) + " bytes");
  }
  std::vector<KeyRule> rules = load_key_rules(folder);
  auto rule = std::find_if(rules.begin(), rules.end(), [&](const KeyRule& r) { return r.key.same_key(key); });
  if (rule == rules.end()) rule = rules.insert(rules.end(), KeyRule{key, {}, {}, {}});
  if (!rule->revoked) rule->revoked = revocation;
  rule->revoked->at = std::min(rule->revoked->at, revocation.at);
  core::write_file_atomically(folder / kKeyRulesFile, print_key_rules(rules));
}

void refuse_world_writable(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw core::system_error(errno, "cannot examine", path.native());
  if ((status.st_mode & S_IWOTH) != 0) {
    throw Error(Kind::kPermission,
                "everybody may write to " + core::escaped(path.native()) + ", so it cannot say whom to trust")
        .hint("chmod o-w " + core::escaped(path.native()));
  }
}

}  // namespace imgforge::signing
