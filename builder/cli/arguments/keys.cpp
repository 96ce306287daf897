#include "builder/cli/arguments/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "artifacts/manifest/companions.hpp"
#include "builder/provenance/slsa.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "signing/formats/dsse.hpp"
#include "signing/formats/sigstore.hpp"
#include "signing/formats/sshsig.hpp"
#include "signing/keys/key_files.hpp"
#include "signing/signers/signer_file.hpp"

namespace imgforge::cli {

namespace fs = std::filesystem;

void declare_passphrase(OptionSet& set, PassphraseArguments& arguments) {
  set.option("--passphrase-file", arguments.file, "read the key's passphrase from a file of mode 0600");
  set.option("--passphrase-fd", arguments.fd, "read the key's passphrase from an open descriptor");
}

std::unique_ptr<signing::PassphraseSource> passphrase_source(const PassphraseArguments& arguments,
                                                             const core::CancelToken& cancel) {
  if (arguments.fd >= 0) return signing::passphrase_from_fd(arguments.fd, cancel);
  if (!arguments.file.empty()) return signing::passphrase_from_file(arguments.file, cancel);
  return signing::passphrase_from_terminal(cancel);
}

signing::SignerAccess signer_access(Context& context, const PassphraseArguments& passphrase) {
  return {context.processes, context.cancel,
          [passphrase, cancel = context.cancel] { return passphrase_source(passphrase, cancel); }};
}

fs::path find_signing_key(const fs::path& chosen) {
  if (!chosen.empty()) return chosen;
  std::vector<std::string> keys;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(keys_folder(), ignored)) {
    if (entry.path().extension() == ".key" || entry.path().extension() == signing::kSignerSuffix)
      keys.push_back(entry.path());
  }
  std::sort(keys.begin(), keys.end());
  if (keys.size() == 1) return keys.front();
  if (keys.empty()) {
    throw core::Error(core::Kind::kUsage, "there is no key to sign with")
        .hint("make one with imgforge key generate NAME, or build --unsigned, which the manifest records");
  }
  throw core::Error(core::Kind::kUsage, fmt::format("there are {} keys to sign with", keys.size()))
      .hint("choose with --signing-key: " + core::join(keys, ", "));
}

std::shared_ptr<const signing::RawSigner> load_signing_key(Context& context, const fs::path& chosen,
                                                           const PassphraseArguments& passphrase,
                                                           const fs::path& published) {
  const fs::path file = find_signing_key(chosen);
  signing::refuse_key_inside(file, published);
  if (file.extension() == signing::kSignerSuffix)
    return signing::load_signer(file, signer_access(context, passphrase));
  const auto source = passphrase_source(passphrase, context.cancel);
  return std::make_shared<const signing::SecretKey>(signing::load_secret_key(file, *source));
}

namespace {

/// What else a signer makes for those who have other tools.
void sign_for_others(Context& context, signing::Signer& signer, const fs::path& key_file,
                     const PassphraseArguments& passphrase) {
  using Further = std::vector<signing::Signer::Further>;
  const signing::Signer ssh = signer;
  signer.add_further([ssh](std::string_view file, std::string_view bytes) -> Further {
    if (file != artifacts::kManifestFile) return {};
    return {{std::string(artifacts::kSshSignatureFile), signing::ssh_sign(ssh, bytes)}};
  });
  const auto key = find_sigstore_key(context, key_file, passphrase);
  if (!key) return;
  signer.add_further([key](std::string_view file, std::string_view bytes) -> Further {
    if (file == artifacts::kManifestFile)
      return {{std::string(artifacts::kSigstoreFile), signing::sigstore_sign(*key, bytes)}};
    if (file != provenance::kProvenanceFile) return {};
    const signing::DsseEnvelope envelope = signing::DsseEnvelope::parse(bytes);
    return {{std::string(artifacts::kProvenanceSigstoreFile),
             signing::sigstore_sign_dsse(*key, envelope.payload_type, envelope.payload)}};
  });
}

}  // namespace

std::shared_ptr<const signing::P256Signer> find_sigstore_key(Context& context, fs::path key_file,
                                                             const PassphraseArguments& passphrase) {
  if (fs::exists(key_file.replace_extension(kSigstoreSuffix)))
    return std::make_shared<const signing::P256Key>(signing::P256Key::load(key_file));
  if (fs::exists(key_file.replace_extension(signing::kP256SignerSuffix)))
    return signing::load_p256_signer(key_file, signer_access(context, passphrase));
  return nullptr;
}

std::vector<signing::P256PublicKey> trusted_sigstore_keys() {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(trusted_folder(), ignored)) {
    if (entry.path().native().ends_with(kSigstorePublicSuffix)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<signing::P256PublicKey> keys;
  for (const fs::path& file : files) keys.push_back(signing::P256PublicKey::load(file));
  return keys;
}

signing::Signer make_signer(Context& context, const fs::path& chosen, const PassphraseArguments& passphrase) {
  signing::Signer signer(load_signing_key(context, chosen, passphrase, context.options.output_dir),
                         core::build_time(context.clock));
  sign_for_others(context, signer, find_signing_key(chosen), passphrase);
  return signer;
}

void declare_builder_id(OptionSet& set, std::string& id) {
  set.option("--builder-id", id, "URI that provenance names as the builder, such as that of a CI job");
}

void declare_public_keys(OptionSet& set, std::vector<std::string>& keys) {
  set.option("--public-key", keys,
             "a .pub file, a key line or a folder of trusted keys to trust besides yours; repeatable");
}

std::shared_ptr<std::vector<std::string>> declare_public_keys(OptionSet& set) {
  auto keys = std::make_shared<std::vector<std::string>>();
  declare_public_keys(set, *keys);
  return keys;
}

signing::TrustStore load_trust(const std::vector<std::string>& more) {
  signing::TrustStore trust;
  trust.add_folder(kSystemTrustedFolder);
  trust.add_folder(trusted_folder());
  for (const std::string& key : more) trust.add(key);
  return trust;
}

std::vector<std::string> further_signatures(const signing::TrustStore& trust) {
  std::set<std::string> names;
  for (const signing::TrustedKey& key : trust.keys())
    names.insert(std::string(artifacts::kFurtherSignaturePrefix) + key.key.id() +
                 std::string(artifacts::kFurtherSignatureSuffix));
  return {names.begin(), names.end()};
}

std::vector<std::string> possible_companions(const signing::TrustStore& trust) {
  std::vector<std::string> names = further_signatures(trust);
  for (const std::string_view name : artifacts::kCompanionNames) names.emplace_back(name);
  for (const signing::TrustedKey& key : trust.keys())
    names.push_back(std::string(artifacts::kRebuiltPrefix) + key.key.id() +
                    std::string(artifacts::kRebuiltSuffix));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

artifacts::SignatureCheck trusting(const std::vector<std::string>& more, const std::string& own) {
  const auto trust = std::make_shared<signing::TrustStore>(load_trust(more));
  if (!own.empty()) trust->add("the signing key", signing::PublicKey::parse(own));
  return counting(trust);
}

artifacts::SignatureCheck counting(std::shared_ptr<const signing::TrustStore> trust, signing::Role role) {
  return [trust = std::move(trust), role](std::string_view data, const artifacts::Signatures& signatures) {
    return signing::signers_text(trust->verify_all(data, signatures, role));
  };
}

}  // namespace imgforge::cli
