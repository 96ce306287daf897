#include "signing/trust/rules_json.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/iso_time.hpp"
#include "core/text.hpp"

namespace imgforge::signing {

using core::Error;
using core::Json;
using core::Kind;
using core::Reason;

Error malformed_rules(std::string_view what) {
  return Error(Kind::kSignature, "malformed rules of trusted keys: " + std::string(what))
      .reason(Reason::kMalformed)
      .hint("mend trust.json, or put back a copy; what cannot be read trusts nobody");
}

void require_members(const Json& object, std::initializer_list<std::string_view> known,
                     std::string_view where) {
  if (!object.is_object()) throw malformed_rules(std::string(where) + " is no object");
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw malformed_rules("unknown member \"" + core::escaped(name) + "\" in " + std::string(where));
    }
  }
}

const std::string& text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string())
    throw malformed_rules(std::string(name) + " has to be a text");
  return found->get_ref<const std::string&>();
}

core::UnixTime time_of(const Json& object, const char* name) {
  const auto time = core::parse_iso_time(text_of(object, name));
  if (!time) throw malformed_rules(std::string(name) + " has to be a time such as 2026-11-20T01:02:03Z");
  return *time;
}

std::optional<core::UnixTime> optional_time(const Json& object, const char* name) {
  if (!object.contains(name)) return std::nullopt;
  return time_of(object, name);
}

namespace {

/// The texts of a list that says something, none twice; nothing for a member that is absent.
std::vector<std::string> list_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return {};
  if (!found->is_array() || found->empty() || found->size() > kMaxThreshold)
    throw malformed_rules(std::string(name) + " has to be a list");
  std::vector<std::string> words;
  for (const Json& word : *found) {
    if (!word.is_string()) throw malformed_rules(std::string(name) + " has to be a list of texts");
    if (std::find(words.begin(), words.end(), word.get_ref<const std::string&>()) != words.end())
      throw malformed_rules(std::string(name) + " says something twice");
    words.push_back(word.get<std::string>());
  }
  return words;
}

PublicKey key_of(const std::string& line) {
  try {
    return PublicKey::parse(line);
  } catch (const Error& error) {
    throw malformed_rules(error.message());
  }
}

}  // namespace

Role role_of(std::string_view name) {
  try {
    return parse_role(name);
  } catch (const Error& error) {
    throw malformed_rules(error.message());
  }
}

KeyRule parse_rule(const Json& object) {
  require_members(object, {"public_key", "valid_from", "valid_until", "revoked", "roles", "introduced_by"},
                  "a key");
  KeyRule rule{key_of(text_of(object, "public_key")),
               optional_time(object, "valid_from"),
               optional_time(object, "valid_until"),
               std::nullopt,
               {},
               {}};
  for (const std::string& role : list_of(object, "roles")) rule.roles.push_back(role_of(role));
  for (const std::string& line : list_of(object, "introduced_by")) rule.introduced_by.push_back(key_of(line));
  if (rule.valid_from && rule.valid_until && *rule.valid_until <= *rule.valid_from) {
    throw malformed_rules("valid_until is not after valid_from");
  }
  if (object.contains("revoked")) {
    const Json& revoked = object.at("revoked");
    require_members(revoked, {"at", "reason"}, "revoked");
    rule.revoked = Revocation{time_of(revoked, "at"), text_of(revoked, "reason")};
    if (!is_reason(rule.revoked->reason))
      throw malformed_rules("the reason of a revocation is one line of text");
  }
  return rule;
}

Json rule_json(const KeyRule& rule) {
  Json row{{"public_key", rule.key.line()}};
  if (rule.valid_from) row["valid_from"] = core::iso_time(*rule.valid_from);
  if (rule.valid_until) row["valid_until"] = core::iso_time(*rule.valid_until);
  if (rule.revoked) {
    row["revoked"] = {{"at", core::iso_time(rule.revoked->at)}, {"reason", rule.revoked->reason}};
  }
  for (const Role role : rule.roles) row["roles"].push_back(role_name(role));
  for (const PublicKey& key : rule.introduced_by) row["introduced_by"].push_back(key.line());
  return row;
}

}  // namespace imgforge::signing
