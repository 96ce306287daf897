#include "builder/cli/trust/verify/statements.hpp"

#include <functional>

#include "artifacts/check/attempt.hpp"
#include "artifacts/check/signatures.hpp"
#include "artifacts/manifest/companions.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/openpgp_keys.hpp"
#include "builder/provenance/rebuilt.hpp"
#include "builder/provenance/slsa.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "signing/formats/dsse.hpp"
#include "signing/formats/sigstore.hpp"
#include "signing/formats/sshsig.hpp"
#include "signing/keys/distinct_keys.hpp"

namespace imgforge::cli {
namespace {

using artifacts::CheckRow;
using core::Error;
using core::Kind;
using core::Reason;
namespace fs = std::filesystem;

/// The rows of signatures in other formats. What a key made that nobody trusts says nothing, good or bad.
std::vector<CheckRow> check_other_formats(Context& context, const fs::path& directory,
                                          const std::string& manifest, const signing::TrustStore& trust) {
  std::vector<CheckRow> rows;
  const auto add = [&](std::string_view name,
                       const std::function<std::string(const std::string& text)>& check) {
    const fs::path file = directory / name;
    if (!fs::exists(fs::symlink_status(file))) return;
    artifacts::attempt(rows, std::string(name), "signature",
                       [&] { return check(artifacts::read_bounded(file, signing::kMaxEnvelope)); });
    artifacts::note_uncounted(rows.back());
  };
  const std::vector<signing::P256PublicKey> sigstore = trusted_sigstore_keys();
  add(artifacts::kSshSignatureFile, [&](const std::string& text) {
    const signing::PublicKey key = signing::ssh_verify(text, manifest, trust.public_keys());
    trust.require_valid(key);
    return "SSH, by " + trust.describe(key);
  });
  add(artifacts::kSigstoreFile, [&](const std::string& text) {
    signing::sigstore_verify(text, manifest, sigstore);
    return std::string("Sigstore bundle, by a trusted key");
  });
  add(artifacts::kProvenanceSigstoreFile, [&](const std::string& text) {
    const signing::DsseEnvelope envelope = signing::DsseEnvelope::parse(
        core::read_text_file(directory / std::string(provenance::kProvenanceFile), signing::kMaxEnvelope));
    signing::sigstore_verify_dsse(text, envelope.payload_type, envelope.payload, sigstore);
    return std::string("Sigstore bundle, by a trusted key");
  });
  add(artifacts::kGpgSignatureFile, [&](const std::string& text) {
    return "OpenPGP, by the trusted key " +
           signing::openpgp_verify(text, manifest, trusted_openpgp_keys(), context.processes, context.cancel);
  });
  return rows;
}

/// The keys whose minisign signatures count, and a row for each signature but the first.
void check_further_signatures(const fs::path& directory, const std::string& manifest,
                              const signing::TrustStore& trust, Statements& found) {
  const artifacts::Signatures texts = artifacts::read_signatures(directory / artifacts::kManifestFile);
  for (const signing::NamedSignature& signature : trust.verify_all(manifest, texts))
    found.signers.push_back(signature.key);
  for (const std::string& name : artifacts::companions_in(directory)) {
    if (artifacts::key_id_in(name, artifacts::kFurtherSignaturePrefix, artifacts::kFurtherSignatureSuffix)
            .empty())
      continue;
    artifacts::attempt(found.rows, name, "signature", [&] {
      return "signed by " + trust.verify(manifest, signing::read_signature_file(directory / name)).signer;
    });
    artifacts::note_uncounted(found.rows.back());
  }
}

}  // namespace

Statements check_statements(Context& context, const std::filesystem::path& directory,
                            const artifacts::SignedManifest& release, const signing::TrustStore& trust) {
  Statements found;
  const artifacts::Manifest& manifest = release.manifest();
  std::vector<signing::PublicKey> builders;
  const auto attempt = [&](const std::string& subject, const char* check, const auto& body) {
    try {
      body();
    } catch (const Error& error) {
      if (error.kind() == Kind::kInterrupted) throw;
      CheckRow row{subject, check, false, {}, {}, {}};
      row.fail(error);
      artifacts::note_uncounted(row);
      found.rows.push_back(std::move(row));
    }
  };
  attempt("manifest.json", "signature", [&] {
    const std::string text =
        core::read_text_file(directory / artifacts::kManifestFile, artifacts::kMaxManifestBytes);
    attempt("manifest.json", "signature", [&] { check_further_signatures(directory, text, trust, found); });
    for (CheckRow& row : check_other_formats(context, directory, text, trust))
      found.rows.push_back(std::move(row));
  });
  if (provenance::has_provenance(manifest)) {
    attempt(std::string(provenance::kProvenanceFile), "provenance", [&] {
      builders = provenance::read_provenance(directory, manifest, trust).signers;
      found.has_provenance = true;
      found.rows.push_back({std::string(provenance::kProvenanceFile),
                            "provenance",
                            true,
                            "of this release, says " + trust.describe(builders.front()),
                            {},
                            {}});
    });
  }
  attempt(directory.filename().native(), "rebuilt", [&] {
    provenance::Rebuilt rebuilt = provenance::check_rebuilt(directory, manifest, release.digest(), trust);
    for (CheckRow& row : rebuilt.rows) found.rows.push_back(std::move(row));
    for (const signing::PublicKey& key : rebuilt.builders) {
      if (!signing::holds_key(builders, key)) ++found.rebuilt_by;
    }
  });
  return found;
}

}  // namespace imgforge::cli
