// A statement by which keys that are trusted already make another one trusted, or take their place: how a
// team rotates its key without asking everybody to trust a new one by hand. A DSSE envelope whose payload is
//
//   {"schema": 1, "made": "2026-11-20T01:02:03Z", "introduces": {"name": "release-2027", "public_key":
//     "RW...", "roles": ["release"], "valid_from": "...", "valid_until": "..."}, "signers_until": "..."}
//
// `roles`, `valid_from`, `valid_until` and `signers_until` may be absent.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signing/minisign/signer.hpp"
#include "signing/trust/trust.hpp"

namespace imgforge::signing {

inline constexpr std::string_view kIntroductionType = "application/vnd.imgforge.key-introduction+json";

struct Introduction {
  std::string name;  ///< of the new key, a plain file name
  /// What is said of it; `introduced_by` and `revoked` are not part of the statement.
  KeyRule rule;
  core::UnixTime made;  ///< as its maker says, which proves nothing
  /// A rotation: from then on those who signed the statement count no more.
  std::optional<core::UnixTime> signers_until = {};
};

/// The statement, signed; one line of JSON.
std::string introduce(const Signer& signer, const Introduction& introduction);
/// The same with one more signature. Throws kSignature when it is no introduction, kUsage when that key has
/// signed it already.
std::string add_introducer(const Signer& signer, std::string_view envelope);

/// What an introduction says, whoever signed it. Throws kSignature (malformed, wrong_subject).
Introduction read_introduction(std::string_view envelope);

/// A statement that was verified.
struct Introduced {
  Introduction introduction;
  std::vector<PublicKey> by;  ///< the keys that count, which the rule names too
};
/// Verifies statements against a store and adds what they introduce to it, in whatever order they come: one
/// may be signed by a key that another one introduces. For each role that the new key gets as many keys have
/// to have signed as that role asks for, each of which has the role: nobody hands on more than he has, and
/// one key alone cannot make a second one where two have to sign. What introduces a key that is trusted
/// already changes nothing. Returns the others in the order in which they were believed. Throws kSignature
/// for the first that is not believed (unknown_key, revoked_key, expired, below_threshold, bad_signature,
/// malformed), and for a new key that is revoked here.
std::vector<Introduced> follow_introductions(TrustStore& trust, const std::vector<std::string>& envelopes);

/// Records it in a folder of trusted keys: the key, its rule, and the end of those who signed a rotation.
void record_introduction(const std::filesystem::path& folder, const Introduced& introduced);

}  // namespace imgforge::signing
