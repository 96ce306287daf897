// What a folder of trusted keys says about keys besides their names: from when until when one counts, for
// what, whether it was revoked, who introduced it, and how many have to sign. The file `trust.json` lies
// beside the .pub files:
//
//   {"schema": 1, "keys": [{"public_key": "RW...", "roles": ["release"], "valid_from":
//   "2026-01-01T00:00:00Z",
//     "valid_until": "2027-01-01T00:00:00Z", "revoked": {"at": "2026-05-01T00:00:00Z", "reason": "laptop
//     lost"}, "introduced_by": ["RW..."]}], "thresholds": {"release": 2}}
//
// All members of a key but `public_key` may be absent, and `thresholds` too. A file that is not exactly like
// this is refused.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "signing/keys/public_key.hpp"
#include "signing/trust/role.hpp"

namespace imgforge::signing {

constexpr const char* kKeyRulesFile = "trust.json";

struct Revocation {
  core::UnixTime at;   ///< from when its signatures cannot be relied on
  std::string reason;  ///< one line
};

struct KeyRule {
  PublicKey key;  ///< meant by its 32 bytes, whatever the id is
  std::optional<core::UnixTime> valid_from;
  std::optional<core::UnixTime> valid_until;  ///< the first second in which it counts no more
  std::optional<Revocation> revoked;
  std::vector<Role> roles;               ///< what it may vouch for; empty: everything
  std::vector<PublicKey> introduced_by;  ///< whose statement made it trusted; says nothing about now

  bool serves(Role role) const;

  /// Throws kSignature with its reason when the key does not count at `now`: revoked, expired, not yet valid.
  /// A revoked key never counts, for a lost key can sign with any date. `name` is for the message.
  void require(core::UnixTime now, std::string_view name) const;
};

/// Whether a text can be the reason of a revocation: one line of at most 400 bytes.
bool is_reason(std::string_view text);

/// All that a folder says.
struct KeyRules {
  std::vector<KeyRule> keys;
  std::map<Role, unsigned> thresholds;  ///< how many distinct keys have to sign, 1 to kMaxThreshold

  /// The rule of a key, made when there is none.
  KeyRule& rule_of(const PublicKey& key);
};

inline constexpr unsigned kMaxThreshold = 32;

/// Throws kSignature (malformed) for unknown members, duplicate ones, wrong types, a key that is named twice,
/// an empty time of validity.
KeyRules parse_key_rules(std::string_view text);
std::string print_key_rules(const KeyRules& rules);

/// The rules of a folder; none when it has no such file. Throws kPermission when everybody may write to it.
KeyRules load_key_rules(const std::filesystem::path& folder);
/// Changes the rules of a folder in one step, while nobody else does; the folder is made when it is missing.
void change_key_rules(const std::filesystem::path& folder, const std::function<void(KeyRules&)>& change);
/// Records in the folder's file that a key is revoked. One that is revoked already keeps the earlier of both
/// times, and its reason.
void revoke_key(const std::filesystem::path& folder, const PublicKey& key, const Revocation& revocation);

/// A place that everybody may change cannot say whom to trust: kPermission.
void refuse_world_writable(const std::filesystem::path& path);

}  // namespace imgforge::signing
