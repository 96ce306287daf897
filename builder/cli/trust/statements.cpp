#include "builder/cli/trust/statements.hpp"

#include <functional>

#include "artifacts/manifest/companions.hpp"
#include "builder/cli/trust/keys.hpp"
#include "builder/cli/trust/openpgp_keys.hpp"
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
    CheckRow row{std::string(name), "signature", false, {}, {}, {}};
    try {
      if (fs::symlink_status(file).type() != fs::file_type::regular)
        throw Error(Kind::kIntegrity, "not a regular file").reason(Reason::kMalformed);
      row.detail = check(core::read_text_file(file, signing::kMaxEnvelope));
      row.ok = true;
    } catch (const Error& error) {
      if (error.kind() == Kind::kInterrupted) throw;
      row.fail(error);
      if (error.reason() == Reason::kUnknownKey)
        row = {std::string(name), "signature", true, "not counted: " + error.message(), {}, {}};
    }
    rows.push_back(std::move(row));
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

/// The further minisign signatures: the trusted keys that made them.
void check_further_signatures(const fs::path& directory, const std::string& manifest,
                              const signing::TrustStore& trust, Statements& found) {
  signing::add_distinct(
      found.signers,
      trust.verify(manifest, signing::read_signature_file(directory / "manifest.json.minisig")).key);
  for (const std::string& name : artifacts::companions_in(directory)) {
    if (artifacts::key_id_in(name, artifacts::kFurtherSignaturePrefix, artifacts::kFurtherSignatureSuffix)
            .empty())
      continue;
    CheckRow row{name, "signature", true, {}, {}, {}};
    try {
      const signing::NamedSignature signature =
          trust.verify(manifest, signing::read_signature_file(directory / name));
      signing::add_distinct(found.signers, signature.key);
      row.detail = "signed by " + signature.signer;
    } catch (const Error& error) {
      if (error.kind() == Kind::kInterrupted) throw;
      row.fail(error);
      if (error.reason() == Reason::kUnknownKey)
        row = {name, "signature", true, "not counted: " + error.message(), {}, {}};
    }
    found.rows.push_back(std::move(row));
  }
}

}  // namespace

Statements check_statements(Context& context, const std::filesystem::path& directory,
                            const artifacts::SignedManifest& release, const signing::TrustStore& trust) {
  Statements found;
  const artifacts::Manifest& manifest = release.manifest();
  std::vector<signing::PublicKey> builders;
  const auto attempt = [&](const char* subject, const char* check, const auto& body) {
    try {
      body();
    } catch (const Error& error) {
      if (error.kind() == Kind::kInterrupted) throw;
      CheckRow row{subject, check, false, {}, {}, {}};
      row.fail(error);
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
    attempt(provenance::kProvenanceFile.data(), "provenance", [&] {
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
  attempt(directory.filename().c_str(), "rebuilt", [&] {
    provenance::Rebuilt rebuilt = provenance::check_rebuilt(directory, manifest, release.digest(), trust);
    for (CheckRow& row : rebuilt.rows) found.rows.push_back(std::move(row));
    for (const signing::PublicKey& key : rebuilt.builders) {
      if (!signing::holds_key(builders, key)) ++found.rebuilt_by;
    }
  });
  return found;
}

}  // namespace imgforge::cli
