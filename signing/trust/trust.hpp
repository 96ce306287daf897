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
  /// Adds what --public-key takes: the 56-character line of a key, or the path of a .pub file.
  void add(std::string_view line_or_path);
  /// Adds one key; one that is there already keeps its first name.
  void add(std::string name, const PublicKey& key);

  bool empty() const { return keys_.empty(); }
  const std::vector<TrustedKey>& keys() const { return keys_; }
  /// Their keys, in the same order.
  std::vector<PublicKey> public_keys() const;
  /// The entry with the same 32 key bytes, or null.
  const TrustedKey* find(const PublicKey& key) const;
  /// "alice (RWQf6L...)", or "unknown key (RWQf6L...)".
  std::string describe(const PublicKey& key) const;

  /// Throws kSignature with its reason when a rule says that the key does not count now.
  void require_valid(const PublicKey& key) const;

  /// Like signing::verify against all keys of the store, whose signer has to be valid now; an empty store is
  /// kSignature with a hint how to trust a key.
  NamedSignature verify(const core::Digest& blake2b512, std::string_view minisig) const;
  NamedSignature verify(std::string_view message, std::string_view minisig) const;

 private:
  std::vector<TrustedKey> keys_;
  std::vector<KeyRule> rules_;  // of all folders: each can only take trust away
  core::UnixTime now_;
};

/// Writes `<folder>/<name>.pub`, so that add_folder finds it. The comment of the source is not kept. The same
/// key under the same name again changes nothing. Throws kUsage for a name that is taken or is no plain file
/// name.
std::filesystem::path trust_key(const std::filesystem::path& folder, std::string_view name,
                                const PublicKey& key);

}  // namespace imgforge::signing
