#include "builder/provenance/rebuilt.hpp"

#include "artifacts/check/attempt.hpp"
#include "artifacts/manifest/companions.hpp"
#include "builder/provenance/slsa.hpp"
#include "builder/provenance/statement.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/formats/dsse.hpp"
#include "signing/keys/distinct_keys.hpp"

namespace imgforge::provenance {
namespace {

using artifacts::CheckRow;
using core::Error;
using core::Json;
using core::Kind;
using core::Reason;
namespace fs = std::filesystem;

/// The keys that state it in one file.
std::vector<signing::PublicKey> read_one(const fs::path& file, std::string_view key_id,
                                         const artifacts::Manifest& manifest,
                                         const core::Digest& manifest_sha256,
                                         const signing::TrustStore& trust) {
  const Statement statement =
      open_statement(core::read_text_file(file, signing::kMaxEnvelope), manifest, kRebuiltType, trust);
  const Json& said = statement.predicate;
  if (!said.contains("manifest") || said.at("manifest") != manifest_sha256.hex())
    throw Error(Kind::kIntegrity, "it was said of another manifest").reason(Reason::kWrongSubject);
  for (const signing::PublicKey& key : statement.signers) {
    if (key.id() == key_id) return statement.signers;
  }
  throw Error(Kind::kSignature, "the key that its name tells did not sign it").reason(Reason::kUnknownKey);
}

}  // namespace

std::string rebuilt_file(const signing::Signer& signer) {
  return std::string(artifacts::kRebuiltPrefix) + signer.key().id() + std::string(artifacts::kRebuiltSuffix);
}

std::string make_rebuilt(const artifacts::Manifest& manifest, const core::Digest& manifest_sha256,
                         std::string_view builder_id, core::UnixTime time, const signing::Signer& signer) {
  return seal_statement(signer, make_statement(manifest, kRebuiltType,
                                               {{"release", manifest.line() + "@" + manifest.version},
                                                {"manifest", manifest_sha256.hex()},
                                                {"builder",
                                                 {{"id", builder_id.empty() ? kAnyBuilder : builder_id},
                                                  {"version", {{"imgforge", IMGFORGE_VERSION}}}}},
                                                {"rebuiltOn", core::iso_time(time)}}));
}

Rebuilt check_rebuilt(const fs::path& directory, const artifacts::Manifest& manifest,
                      const core::Digest& manifest_sha256, const signing::TrustStore& trust) {
  Rebuilt found;
  for (const std::string& name : artifacts::companions_in(directory)) {
    const std::string_view key_id =
        artifacts::key_id_in(name, artifacts::kRebuiltPrefix, artifacts::kRebuiltSuffix);
    if (key_id.empty()) continue;
    CheckRow row{name, "rebuilt", false, {}, {}, {}};
    try {
      for (const signing::PublicKey& key :
           read_one(directory / name, key_id, manifest, manifest_sha256, trust)) {
        signing::add_distinct(found.builders, key);
        row.detail += (row.detail.empty() ? "the same bytes, says " : ", ") + trust.describe(key);
      }
      row.ok = true;
    } catch (const Error& error) {
      if (error.kind() == Kind::kInterrupted) throw;
      row.fail(error);
      // Anybody can put a statement there.
      artifacts::note_uncounted(row);
    }
    found.rows.push_back(std::move(row));
  }
  return found;
}

}  // namespace imgforge::provenance
