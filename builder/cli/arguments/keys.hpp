// Where a user's keys are: secret keys in `<config>/keys`, trusted public keys in `<config>/trusted`.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/check/release_check.hpp"
#include "builder/cli/frame/command.hpp"
#include "signing/formats/p256_key.hpp"
#include "signing/keys/passphrase.hpp"
#include "signing/keys/secret_key.hpp"
#include "signing/minisign/signer.hpp"
#include "signing/signers/signer_access.hpp"
#include "signing/trust/trust.hpp"

namespace imgforge::cli {

/// Keys and revocations of whoever runs the machine; a user's folder cannot lift them.
inline constexpr const char* kSystemTrustedFolder = "/etc/imgforge/trusted";
inline std::filesystem::path keys_folder() {
  return config_dir() / "keys";
}
inline std::filesystem::path trusted_folder() {
  return config_dir() / "trusted";
}

/// Flags that say where a passphrase comes from.
struct PassphraseArguments {
  std::filesystem::path file;
  int fd = -1;
};
void declare_passphrase(OptionSet& set, PassphraseArguments& arguments);
std::unique_ptr<signing::PassphraseSource> passphrase_source(const PassphraseArguments& arguments,
                                                             const core::CancelToken& cancel);

/// For keys that are elsewhere: PINs come from where passphrases do.
signing::SignerAccess signer_access(Context& context, const PassphraseArguments& passphrase);

/// The secret key to sign with: `chosen`, or the only one in the keys folder. kUsage with a hint when there
/// is none or there are several.
std::filesystem::path find_signing_key(const std::filesystem::path& chosen);

/// The key that find_signing_key finds; the passphrase is asked now, before hours of work. Refuses a key
/// inside `published`, a folder that others will see.
std::shared_ptr<const signing::RawSigner> load_signing_key(Context& context,
                                                           const std::filesystem::path& chosen,
                                                           const PassphraseArguments& passphrase,
                                                           const std::filesystem::path& published);
/// The Sigstore key that belongs to a signing key lies beside it: `NAME.p256`, and its public half
/// `NAME.p256.pem`, which also the folder of trusted keys holds.
inline constexpr std::string_view kSigstoreSuffix = ".p256";
inline constexpr std::string_view kSigstorePublicSuffix = ".p256.pem";
std::vector<signing::P256PublicKey> trusted_sigstore_keys();
/// The one that belongs to a signing key, wherever it is; null when there is none.
std::shared_ptr<const signing::P256Signer> find_sigstore_key(Context& context, std::filesystem::path key_file,
                                                             const PassphraseArguments& passphrase);

/// Signs with that key, at the time of the build; no key inside the output folder is taken. Manifests get an
/// SSH signature of the same key too, and a Sigstore bundle (provenance as well) where a Sigstore key lies
/// beside it.
signing::Signer make_signer(Context& context, const std::filesystem::path& chosen,
                            const PassphraseArguments& passphrase);

/// Declares --builder-id: what provenance calls whoever builds; a URI.
void declare_builder_id(OptionSet& set, std::string& id);

/// Declares --public-key, for load_trust and trusting.
std::shared_ptr<std::vector<std::string>> declare_public_keys(OptionSet& set);
void declare_public_keys(OptionSet& set, std::vector<std::string>& keys);
/// The user's trusted keys and those named on the command line.
signing::TrustStore load_trust(const std::vector<std::string>& more);
/// The names that signatures of a release's manifest by trusted keys may have, besides the usual one: a web
/// server cannot be asked what there is.
std::vector<std::string> further_signatures(const signing::TrustStore& trust);
/// The same for all that may lie beside a manifest.
std::vector<std::string> possible_companions(const signing::TrustStore& trust);
/// Who signed, by these keys and the one whose .pub text is `own` (empty: none).
artifacts::SignatureCheck trusting(const std::vector<std::string>& more, const std::string& own = {});
/// As many keys of `trust` as it asks for in that role.
artifacts::SignatureCheck counting(std::shared_ptr<const signing::TrustStore> trust,
                                   signing::Role role = signing::Role::kRelease);

}  // namespace imgforge::cli
