// in-toto statements: what is said (the predicate) of which files (the subjects), in a signed envelope. The
// frame that provenance and the statements of other builders share. (https://github.com/in-toto/attestation,
// spec/v1: statement.md, envelope.md.)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "core/json.hpp"
#include "signing/minisign/signer.hpp"
#include "signing/trust/trust.hpp"

namespace imgforge::provenance {

inline constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";

/// The text of a statement about the artifacts of a release, and its envelope as one line of JSON. Equal
/// arguments give equal bytes.
std::string make_statement(const artifacts::Manifest& manifest, std::string_view predicate_type,
                           core::Json predicate);
std::string seal_statement(const signing::Signer& signer, std::string statement);

/// A statement whose envelope at least one trusted key signed.
struct Statement {
  core::Json predicate;
  std::vector<signing::PublicKey> signers;  ///< the distinct trusted keys
};

/// Opens the envelope and reads the statement strictly: of type `predicate_type`, and its subjects are the
/// release's artifacts, all of them and no other, with sha256 and sha512. Throws kSignature for the envelope
/// (dsse_verify), kIntegrity with Reason::kMalformed, or kWrongSubject for a statement about something else.
Statement open_statement(std::string_view envelope, const artifacts::Manifest& manifest,
                         std::string_view predicate_type, const signing::TrustStore& trust);

}  // namespace imgforge::provenance
