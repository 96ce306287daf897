// Metadata of The Update Framework (TUF specification 1.0,
// https://theupdateframework.github.io/specification/): root, timestamp, snapshot and targets, in the form
// that other clients read. What is parsed here is hostile until `Role::require` has counted its signatures.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/digest.hpp"
#include "core/json.hpp"
#include "signing/primitives/ed25519.hpp"

namespace imgforge::catalogue {

/// Canonical JSON (OLPC): sorted members, no blanks, whole numbers, only `"` and `\` escaped. Throws
/// kIntegrity for fractions, which it cannot have.
std::string canonical_json(const core::Json& value);

/// One signature of a document.
struct RoleSignature {
  std::string key_id;  ///< sha256 of the canonical key object
  std::vector<std::uint8_t> bytes;
};

/// One file of metadata, not yet believed: what all kinds of it have.
struct Document {
  std::string type;  ///< "root", "timestamp", "snapshot", "targets"
  std::uint64_t version = 0;
  std::string expires;  ///< "2026-11-20T01:02:03Z"
  core::Json body;      ///< the member "signed"
  std::string signed_bytes;
  std::vector<RoleSignature> signatures;
};

/// Reads one file of at most `limit` bytes that must be of this type. Throws kIntegrity (malformed): repeated
/// members, wrong types, version 0, a time of another form, two signatures of one key id.
Document parse_document(std::string_view text, std::string_view type, std::size_t limit);

/// Throws kIntegrity (expired) when the document's time is over at `now`.
void require_unexpired(const Document& document, core::UnixTime now);

/// Who has to sign one kind of metadata.
struct Role {
  std::map<std::string, signing::Ed25519Public> keys;  ///< by key id
  std::uint64_t threshold = 1;

  /// Throws kSignature unless as many distinct keys as the threshold says signed the document, whatever ids
  /// they go by: unknown_key, bad_signature, below_threshold.
  void require(const Document& document) const;
  bool operator==(const Role&) const = default;
};

/// The root: all roles. `parse` throws as parse_document does, and for a role without keys, a threshold of 0
/// or above the number of distinct keys, and a key id that is not the digest of its key.
struct Root {
  Document document;
  std::map<std::string, Role> roles;
  static Root parse(std::string_view text);
  const Role& role(std::string_view name) const { return roles.at(std::string(name)); }
};

/// What timestamp and snapshot say about another file of metadata.
struct FileMeta {
  std::uint64_t version = 0;
  /// Throws kIntegrity for other bytes (digest_mismatch, size_mismatch).
  void check(std::string_view name, std::string_view text) const;
  std::uint64_t length = 0;  ///< 0: not said
  core::Digest sha256;       ///< empty: not said
};
/// The member "meta" of a timestamp or snapshot.
std::map<std::string, FileMeta> file_metas(const Document& document);

/// A manifest in the catalogue.
struct Target {
  std::uint64_t length = 0;
  core::Digest sha256;
  core::Digest sha512;
  std::string line;
  std::string version;
  std::string state;   ///< "current", "old"
  std::string yanked;  ///< why its publisher withdrew it; empty: it was not
};
/// The targets by path. Throws kIntegrity (malformed) for a path that is absolute or has empty, `.` or `..`
/// parts.
std::map<std::string, Target> targets_of(const Document& document);

/// The key object of an Ed25519 key, and its id.
core::Json key_object(const signing::Ed25519Public& key);
std::string key_id(const signing::Ed25519Public& key);

constexpr std::size_t kMaxRoot = 512 << 10;
constexpr std::size_t kMaxTimestamp = 16 << 10;
constexpr std::size_t kMaxSnapshot = 256 << 10;
constexpr std::size_t kMaxTargets = 16 << 20;

}  // namespace imgforge::catalogue
