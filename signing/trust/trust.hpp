// The set of public keys whose signatures count, with the names that the user gave them. It is the only
// source of trust: nothing that a signature or a key file says about itself is believed, and an empty set
// trusts nobody.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "signing/minisign/minisign.hpp"
#include "signing/trust/key_rules.hpp"

namespace imgforge::signing {

struct TrustedKey {
  std::string name;  ///< stem of the file it came from, or the key id for a bare line
  PublicKey key;
};

/// A verified signature with the name of its signer.
struct NamedSignature {
  std::string signer;  ///< as in "alice (RWQf6L...)", printable
  PublicKey key;
  std::string trusted_comment;
};

class TrustStore {
 public:
  /// Keys count or not at the time `now`. What a signature says about its own time proves nothing.
  explicit TrustStore(core::UnixTime now = core::system_clock().now()) : now_(now) {}

  /// Adds every `*.pub` of a folder, in the order of the names, and the rules of its `trust.json`, which hold
  /// for all keys of the store wherever they come from. A folder that is missing adds nothing. Throws
  /// kSignature for a file that is no usable key or damaged, kPermission when everybody may write to the
  /// folder or a file.
  void add_folder(const std::filesystem::path& folder);
  /// Adds what --public-key takes: the 56-character line of a key, or the path of a .pub file or of a folder
  /// like those of add_folder, which has to be there.
  void add(std::string_view line_or_path);
  /// Adds one key; one that is there already keeps its first name.
  void add(std::string name, const PublicKey& key);
  /// The same with a rule of its own.
  void add(std::string name, const KeyRule& rule);

  bool empty() const { return keys_.empty(); }
  const std::vector<TrustedKey>& keys() const { return keys_; }
  /// Their keys, in the same order.
  std::vector<PublicKey> public_keys() const;
  /// The entry with the same 32 key bytes, or null.
  const TrustedKey* find(const PublicKey& key) const;
  /// "alice (RWQf6L...)", or "unknown key (RWQf6L...)".
  std::string describe(const PublicKey& key) const;

  /// Throws kSignature with its reason when a rule says that the key does not count now, or not for `role`
  /// (unknown_key).
  void require_valid(const PublicKey& key, Role role = Role::kRelease) const;
  /// Throws kSignature (revoked_key) when a rule revokes the key.
  void require_not_revoked(const PublicKey& key) const;
  /// What the folders say of a key; one row a folder that says something.
  std::vector<KeyRule> rules_of(const PublicKey& key) const;
  /// Whether a rule names the role itself: a key that may vouch for everything was not trusted for it alone.
  bool is_named_for(const PublicKey& key, Role role) const;
  /// How many distinct keys have to sign: the largest number that a folder asks for, else 1.
  unsigned threshold(Role role) const;

  /// Like signing::verify against all keys of the store, whose signer has to be valid now; an empty store is
  /// kSignature with a hint how to trust a key.
  NamedSignature verify(const core::Digest& blake2b512, std::string_view minisig) const;
  NamedSignature verify(std::string_view message, std::string_view minisig) const;

  /// The distinct keys of the store that signed `message`, in the order of the signatures. Those of keys that
  /// do not count (does_not_count) are passed over. A first one that is broken is refused whatever the others
  /// say; a further one, which anybody may have put there, only when it is missed. Throws kSignature: what is
  /// wrong with the first when none counts, below_threshold when too few do.
  std::vector<NamedSignature> verify_all(std::string_view message, const std::vector<std::string>& minisigs,
                                         Role role = Role::kRelease) const;
  /// The same keys where one of them is enough, for whoever adds the signatures that are missing.
  TrustStore without_thresholds() const;
  /// The same keys whatever is said of them: revoked ones and those whose time is over too.
  TrustStore without_rules() const;
  /// The end of it for signatures in other forms: throws below_threshold when `keys` are too few.
  void require_enough(std::size_t keys, Role role) const;

 private:
  std::vector<TrustedKey> keys_;
  std::vector<KeyRules> rules_;  // of all folders: each can only take trust away
  core::UnixTime now_;
};

/// "alice (RWQf6L...), bob (RW...)".
std::string signers_text(const std::vector<NamedSignature>& signatures);

/// Whether a key can have this name: a plain file name that begins with neither dot nor dash.
bool is_key_name(std::string_view name);

/// Writes `<folder>/<name>.pub`, so that add_folder finds it. The comment of the source is not kept. The same
/// key under the same name again changes nothing. Throws kUsage for a name that is taken or is no plain file
/// name.
std::filesystem::path trust_key(const std::filesystem::path& folder, std::string_view name,
                                const PublicKey& key);

}  // namespace imgforge::signing
