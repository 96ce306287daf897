#include "builder/provenance/statement.hpp"

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/formats/dsse.hpp"

namespace imgforge::provenance {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using core::Reason;

constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";

Json subjects_of(const artifacts::Manifest& manifest) {
  Json rows = Json::array();
  for (const artifacts::ManifestArtifact& artifact : manifest.artifacts)
    rows.push_back({{"name", artifact.file},
                    {"digest", {{"sha256", artifact.sha256.hex()}, {"sha512", artifact.sha512.hex()}}}});
  return rows;
}

Error malformed(const std::string& why) {
  return std::move(Error(Kind::kIntegrity, "malformed statement: " + why).reason(Reason::kMalformed));
}

Error foreign(const std::string& why) {
  return std::move(Error(Kind::kIntegrity, why).reason(Reason::kWrongSubject));
}

/// Subjects may come in any order; each artifact must be there once, with just its digests.
void require_subjects(const Json& found, const artifacts::Manifest& manifest) {
  std::map<std::string, const artifacts::ManifestArtifact*> wanted;
  for (const artifacts::ManifestArtifact& artifact : manifest.artifacts) wanted[artifact.file] = &artifact;
  if (!found.is_array()) throw malformed("subject is no list");
  if (found.size() != wanted.size())
    throw foreign("the statement is about " + std::to_string(found.size()) + " files, the release has " +
                  std::to_string(wanted.size()));
  for (const Json& row : found) {
    const std::string name = row.at("name").get<std::string>();
    const auto match = wanted.find(name);
    if (match == wanted.end() || row.at("digest").at("sha256") != match->second->sha256.hex() ||
        row.at("digest").at("sha512") != match->second->sha512.hex())
      throw foreign("the statement is about another file than this release's: " + core::escaped(name, 120));
    wanted.erase(match);
  }
}

}  // namespace

std::string make_statement(const artifacts::Manifest& manifest, std::string_view predicate_type,
                           Json predicate) {
  return Json{{"_type", kStatementType},
              {"subject", subjects_of(manifest)},
              {"predicateType", predicate_type},
              {"predicate", std::move(predicate)}}
      .dump();
}

std::string seal_statement(const signing::Signer& signer, std::string statement) {
  return signing::dsse_sign(signer, std::string(kPayloadType), std::move(statement)).text();
}

Statement open_statement(std::string_view envelope, const artifacts::Manifest& manifest,
                         std::string_view predicate_type, const signing::TrustStore& trust) {
  const signing::DsseEnvelope opened = signing::DsseEnvelope::parse(envelope);
  Statement statement;
  statement.signers = signing::dsse_verify(opened, kPayloadType, trust.public_keys());
  for (const signing::PublicKey& key : statement.signers) trust.require_valid(key);
  try {
    const Json json =
        core::parse_json(opened.payload, "statement", {.bytes = signing::kMaxEnvelope, .depth = 16});
    if (!json.is_object() || json.size() != 4) throw malformed("four members are expected");
    if (json.at("_type") != kStatementType) throw malformed("it is no in-toto statement of version 1");
    if (json.at("predicateType") != predicate_type)
      throw foreign("the statement says something else: " +
                    core::escaped(json.at("predicateType").get<std::string>(), 120));
    require_subjects(json.at("subject"), manifest);
    statement.predicate = json.at("predicate");
    if (!statement.predicate.is_object()) throw malformed("predicate is no object");
  } catch (const Json::exception& error) {
    throw malformed(core::escaped(error.what(), 160));
  } catch (const Error& error) {
    if (error.reason() != Reason::kNone) throw;
    throw malformed(error.message());
  }
  return statement;
}

}  // namespace imgforge::provenance
