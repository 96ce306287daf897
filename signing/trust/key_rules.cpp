#include "signing/trust/key_rules.hpp"

#include <fcntl.h>
#include <sys/file.h>
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
#include "signing/trust/rules_json.hpp"

namespace imgforge::signing {

using core::Error;
using core::Json;
using core::Kind;
using core::Reason;

namespace {

constexpr std::size_t kMaxRulesText = 1 << 20;
constexpr std::size_t kMaxReason = 400;

}  // namespace

bool is_reason(std::string_view text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return !text.empty() && text.size() <= kMaxReason && core::is_utf8(text) &&
         std::none_of(text.begin(), text.end(), control);
}

bool KeyRule::serves(Role role) const {
  return roles.empty() || std::find(roles.begin(), roles.end(), role) != roles.end();
}

KeyRule& KeyRules::rule_of(const PublicKey& key) {
  const auto rule =
      std::find_if(keys.begin(), keys.end(), [&](const KeyRule& r) { return r.key.same_key(key); });
  if (rule != keys.end()) return *rule;
  return keys.emplace_back(KeyRule{key, {}, {}, {}, {}, {}});
}

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

KeyRules parse_key_rules(std::string_view text) {
  Json json;
  try {
    json = core::parse_json(text, kKeyRulesFile);
  } catch (const Error& error) {
    throw malformed_rules(error.message());
  }
  require_members(json, {"schema", "keys", "thresholds"}, "the file");
  const auto schema = json.find("schema");
  if (schema == json.end() || !schema->is_number_integer() || *schema != 1)
    throw malformed_rules("schema is not 1");
  const auto keys = json.find("keys");
  if (keys == json.end() || !keys->is_array()) throw malformed_rules("keys has to be a list");
  KeyRules rules;
  for (const Json& row : *keys) {
    KeyRule rule = parse_rule(row);
    for (const KeyRule& other : rules.keys) {
      if (other.key.same_key(rule.key))
        throw malformed_rules("the key " + rule.key.abbreviated() + " is named twice");
    }
    rules.keys.push_back(std::move(rule));
  }
  const auto thresholds = json.find("thresholds");
  if (thresholds == json.end()) return rules;
  if (!thresholds->is_object()) throw malformed_rules("thresholds has to be an object");
  for (const auto& [name, number] : thresholds->items()) {
    if (!number.is_number_unsigned() || number < 1 || number > kMaxThreshold)
      throw malformed_rules("a threshold is a number from 1 to " + std::to_string(kMaxThreshold));
    rules.thresholds[role_of(name)] = number.get<unsigned>();
  }
  return rules;
}

std::string print_key_rules(const KeyRules& rules) {
  Json keys = Json::array();
  for (const KeyRule& rule : rules.keys) {
    keys.push_back(rule_json(rule));
  }
  Json file{{"schema", 1}, {"keys", std::move(keys)}};
  for (const auto& [role, number] : rules.thresholds)
    file["thresholds"][std::string(role_name(role))] = number;
  return core::print_json(file);
}

KeyRules load_key_rules(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kKeyRulesFile;
  std::error_code error;
  // A link that leads nowhere is a file that cannot be read, not one that is absent.
  if (std::filesystem::symlink_status(file, error).type() == std::filesystem::file_type::not_found) return {};
  refuse_world_writable(file);
  return core::while_doing("reading " + core::escaped(file.native()),
                           [&] { return parse_key_rules(core::read_text_file(file, kMaxRulesText)); });
}

void change_key_rules(const std::filesystem::path& folder, const std::function<void(KeyRules&)>& change) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw core::system_error(error.value(), "cannot create folder", folder.native());
  // The folder itself is the lock: it is there before the file is, and stays when the file is replaced.
  const core::Fd lock = core::open_file(folder, O_RDONLY | O_DIRECTORY);
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) throw core::system_error(errno, "cannot lock", folder.native());
  }
  KeyRules rules = load_key_rules(folder);
  change(rules);
  core::write_file_atomically(folder / kKeyRulesFile, print_key_rules(rules));
}

void revoke_key(const std::filesystem::path& folder, const PublicKey& key, const Revocation& revocation) {
  if (!is_reason(revocation.reason)) {
    throw Error(Kind::kUsage, "the reason of a revocation is one line of text of at most " +
                                  std::to_string(kMaxReason) + " bytes");
  }
  change_key_rules(folder, [&](KeyRules& rules) {
    KeyRule& rule = rules.rule_of(key);
    if (!rule.revoked) rule.revoked = revocation;
    rule.revoked->at = std::min(rule.revoked->at, revocation.at);
  });
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
